"""Signals: what the caller had ignored, and those that arrive while a command runs.

They are read from a descriptor, which tells more of them than Python's own functions do: who sent
them, and the value that sigqueue(3) gives them.
"""

import ctypes
import os
import select
import signal
import struct
import time
from dataclasses import dataclass

IGNORED_BY_CALLER = "SPANBENCH_IGNORED"  # set by scripts/spanbench, in hexadecimal
IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
SI_QUEUE = -1  # sent with a value; other signals of processes have 0 and less, too
INFO = struct.Struct("<IiiIIiIIIIiiQ")  # struct signalfd_siginfo up to ssi_ptr
INFO_BYTES = 128
SET_BYTES = 128  # sigset_t
CLOSE_ON_EXEC = os.O_CLOEXEC | os.O_NONBLOCK  # the values of SFD_CLOEXEC and SFD_NONBLOCK

libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Arrived:
    """A signal to this process."""

    number: int
    code: int
    value: int

    def is_from_process(self):
        """Whether a process sent it; what a terminal sends, the command has got as well."""
        return self.code <= 0

    def pass_on(self, pid):
        """Sends it to the process `pid` as it came."""
        if self.code == SI_QUEUE:
            libc.sigqueue(pid, self.number, ctypes.c_void_p(self.value))
        else:
            os.kill(pid, self.number)


class Signals:
    """All signals that can be caught, blocked and read one by one, while a `with` lasts."""

    def __enter__(self):
        self.ignored = ignored_by_caller()
        self.child = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored: no status to be had
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, CATCHABLE)
        self.descriptor = open_descriptor(CATCHABLE)
        return self

    def __exit__(self, *_):
        while self.wait(0):  # meant for the command, which has ended
            pass
        os.close(self.descriptor)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)
        signal.signal(signal.SIGCHLD, self.child or signal.SIG_DFL)

    def wait(self, seconds=None, others=()):
        """The next signal; None after some seconds, or where one of the descriptors is readable."""
        poll = select.poll()
        for descriptor in (self.descriptor, *others):
            poll.register(descriptor, select.POLLIN)
        ready = poll.poll(None if seconds is None else max(0, seconds) * 1000)
        if not any(descriptor == self.descriptor for descriptor, _ in ready):
            return None
        fields = INFO.unpack_from(os.read(self.descriptor, INFO_BYTES))
        return Arrived(fields[0], fields[2], fields[12])

    def restore_in_child(self):
        """Gives the process that becomes the command what the caller would have given it."""
        for number in CATCHABLE:
            is_ignored = number in self.ignored
            signal.signal(number, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)


def open_descriptor(numbers):
    """A descriptor from which the signals are read."""
    wanted = ctypes.create_string_buffer(SET_BYTES)
    libc.sigemptyset(wanted)
    for number in numbers:
        libc.sigaddset(wanted, int(number))
    descriptor = libc.signalfd(-1, wanted, CLOSE_ON_EXEC)
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "signalfd")
    return descriptor


def ignored_by_caller():
    """The signals that the caller has the command ignore. Python ignores some from its start on, so
    the shell that starts it looks before."""
    try:
        mask = int(os.environ.get(IGNORED_BY_CALLER, ""), 16)
    except ValueError:
        now = {number for number in CATCHABLE if signal.getsignal(number) is signal.SIG_IGN}
        return now - IGNORED_BY_PYTHON
    return {number for number in CATCHABLE if mask >> (number - 1) & 1}


def has_terminal():
    """Whether there is a terminal, and so somebody who continues what is stopped."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def settle():
    """Waits until a signal to a whole process group has reached all of it."""
    time.sleep(0.02)  # the kernel goes through the group at once; arbitrary
