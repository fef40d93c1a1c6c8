"""Counts byte strings in the memory of a process, as whoever steals an image of it would find them.

Usage: memory_scan.py PID HEX...

Reads all mappings that can be written to and prints a JSON list: how often each string is there.
"""
import json
import sys

needles = [bytes.fromhex(word) for word in sys.argv[2:]]
counts = [0] * len(needles)
with open(f"/proc/{sys.argv[1]}/maps") as maps, open(f"/proc/{sys.argv[1]}/mem", "rb", buffering=0) as memory:
    for line in maps:
        place, access = line.split()[:2]
        if not access.startswith("rw"):
            continue
        start, end = (int(word, 16) for word in place.split("-"))
        # Reserved and never touched memory would read as zeros, slowly.
        if end - start > 1 << 30:
            continue
        try:
            memory.seek(start)
            content = memory.read(end - start)
        except (OSError, OverflowError):
            # Memory of a device, or the kernel's.
            continue
        for index, needle in enumerate(needles):
            counts[index] += content.count(needle)
print(json.dumps(counts))
