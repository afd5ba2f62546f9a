"""Runs tests of the interpreter itself and prints how many there were of each outcome.

Takes names of modules, classes or tests. Prints no times; those that need much memory skip
themselves.
"""

import os
import sys
import unittest


def main():
    """Exit status 1 if a test failed."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
    with open(os.devnull, "w", encoding="utf-8") as silence:
        result = unittest.TextTestRunner(silence, verbosity=0, buffer=True).run(suite)
    for test, trace in result.failures + result.errors:
        print(test, trace)
    print(result.testsRun, len(result.failures), len(result.errors), len(result.skipped))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
