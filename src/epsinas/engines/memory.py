"""What a process does with the memory of freed tensors."""

import ctypes
import os


def keep_freed_memory() -> bool:
    """Have this process keep the memory of freed tensors for the next ones, and say whether it will.

    By default the GNU C library returns large blocks to the system, which clears every page that it hands out again:
    on a CPU a third of the time of a full-width network. The process then holds its largest need until it ends, or more
    where networks differ: see `release_freed_memory`.
    """
    # From malloc.h: parameters M_MMAP_MAX and M_TRIM_THRESHOLD. The second alone would map every large block anew.
    # There -1 is no threshold, and the largest integer one of 2 GiB.
    settings = {-4: 0, -1: -1}
    try:
        set_parameter = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return all(set_parameter(parameter, value) == 1 for parameter, value in settings.items())


def release_freed_memory(above: float = 4 * 2**30) -> bool:
    """Return the memory of freed tensors to the system where the process holds more than `above` bytes, and say so.

    Kept memory is in pieces, which a next network of other sizes does not fit into: with eight networks of
    NAS-Bench-101, 128 channels wide, of 4 to 6 GB each, a process came to 16. To give it back takes a tenth of such a
    network's time.
    """
    try:
        with open("/proc/self/statm") as file:
            held = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another system, or another C library
        return False
    return held > above and trim(0) == 1
