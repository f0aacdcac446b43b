"""Label Studio: a model that suggests labels and regions, and a receiver of annotations.

https://labelstud.io/guide/ml describes the interface. Photos are within tasks, or are fetched from
the one Label Studio that the server was started with; nothing else is ever asked.
"""
