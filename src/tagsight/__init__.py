"""Which of my labels are in this photo, and where is the evidence?"""

__version__ = "0.1.0"
