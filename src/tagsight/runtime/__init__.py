"""The machine: device, precision, processes, threads, progress, files and arrays.

May import config and errors.
"""
