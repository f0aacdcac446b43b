"""The machine: device, precision, processes, threads, files and arrays.

May import config and errors.
"""
