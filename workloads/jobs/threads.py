"""JSON, regular expressions, bytes that grow, threads and forked workers."""

import json
import multiprocessing
import re
import threading
from concurrent.futures import ThreadPoolExecutor


def digits(number):
    """How many digits the numbers up to 20000, each written `number` times, have."""
    return sum(len(str(i) * number) for i in range(20000))


def grow(size):
    """The last bytes of an array that grew byte by byte."""
    grown = bytearray()
    for i in range(size):
        grown += b"%d" % i
    return bytes(grown[-20:])


def main():
    """Prints what does not depend on the order of threads."""
    data = [{f"k{i}": list(range(i % 50))} for i in range(5000)]
    text = json.dumps(data)
    print(len(text), len(re.findall("k1", text)), json.loads(text) == data)
    out = []
    threads = [threading.Thread(target=lambda n=n: out.append(digits(n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ThreadPoolExecutor(3) as pool:
        print(sorted(out), list(pool.map(grow, (10, 10000, 100000))))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(digits, range(4)))


if __name__ == "__main__":
    main()
