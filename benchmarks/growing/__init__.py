"""The cases of `growth.py`: each draws its data at a size, and gives what is to be timed."""
