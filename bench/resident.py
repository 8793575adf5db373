# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What of a process lies in memory, as Linux counts it."""
import contextlib
import pathlib
import re


def of(field, process="self"):
    """A field of /proc/PROCESS/status in bytes: VmRSS, what is resident now, or VmHWM, the most there ever was."""
    status = pathlib.Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return 1024 * int(re.search(rf"^{field}:\s*(\d+) kB$", status, re.MULTILINE).group(1))


def forget_peak(process="self"):
    """Lets VmHWM begin anew from what is resident now."""
    with contextlib.suppress(OSError):
        pathlib.Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")
