"""What options offer and measuring does: names and defaults. They stand apart, so that a verb's
parser loads nothing that measures."""

ORIGINAL, SERIAL = "original", "serial"
THREAD_ORDERS = (ORIGINAL, SERIAL)
AUTO = "auto"  # the memory limit that is searched for
TIMEOUT_S = 600.0  # of one run
