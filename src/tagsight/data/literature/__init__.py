"""Collections and protocols of the literature: places, downloads and published counts."""
