"""Trackers: settings, curves and report of a run, written for TensorBoard, MLflow or W&B.

Nothing is sent anywhere unless an environment variable of the tracker names a server.

May import what training may import.
"""
