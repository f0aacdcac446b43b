"""The machine: device, precision, processes, clusters, threads, progress, files and arrays.

May import config and errors.
"""
