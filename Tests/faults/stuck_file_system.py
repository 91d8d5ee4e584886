"""A file system of one file, `stuck`, whose read is never answered: whoever reads it is in uninterruptible sleep.

It speaks the kernel's FUSE protocol by itself (linux/fuse.h, 7.31): no library is needed, only root and /dev/fuse. The kernel
lets a reader be killed only as long as nobody has taken its request: this server takes it and goes silent.
"""

import ctypes
import errno
import os
import struct
import threading

INIT, LOOKUP, FORGET, GETATTR, OPEN, READ, INTERRUPT = 26, 1, 2, 3, 14, 15, 36
IN_HEADER, OUT_HEADER = struct.Struct("<IIQQIIII"), struct.Struct("<IiQ")
DIRECTORY, FILE = 0o40755, 0o100444


class StuckFileSystem:
    @staticmethod
    def reason_not_here():
        if os.getuid() != 0:
            return "mounting needs root"
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            return "no /dev/fuse"
        return None

    def __init__(self, place):
        self.place = place
        place.mkdir()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if self.libc.mount(b"stuck", str(place).encode(), b"fuse", 6, options) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        self.taken = threading.Event()  # Somebody reads, and waits.
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def file(self):
        return self.place / "stuck"

    def _serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 17)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                return  # Unmounted, or let go of.
            length, code, unique, node, *_ = IN_HEADER.unpack_from(request)
            if code == READ:
                self.taken.set()
            elif code not in (FORGET, INTERRUPT):
                self._answer(unique, code, node)

    def _answer(self, unique, code, node):
        body, fault = b"", 0
        if code == INIT:
            body = struct.pack("<IIIIHHIIHHI7I", 7, 31, 1 << 16, 0, 16, 12, 1 << 16, 1, 1, 0, 0, *[0] * 7)
        elif code == LOOKUP:
            body = struct.pack("<QQQQII", 2, 1, 60, 60, 0, 0) + self._attributes(2)
        elif code == GETATTR:
            body = struct.pack("<QII", 60, 0, 0) + self._attributes(node)
        elif code == OPEN:
            body = struct.pack("<QII", 1, 1, 0)  # 1: past the page cache
        else:
            fault = -errno.ENOSYS
        try:
            os.write(self.device, OUT_HEADER.pack(OUT_HEADER.size + len(body), fault, unique) + body)
        except OSError:
            pass  # Its reader was killed before we took the request.

    @staticmethod
    def _attributes(node):
        return struct.pack("<QQQQQQIIIIIIIIII", node, 4096, 8, 0, 0, 0, 0, 0, 0, DIRECTORY if node == 1 else FILE, 1, 0, 0, 0, 4096, 0)

    def let_go(self):
        """Its readers get an error, and can die at last."""
        control = f"/sys/fs/fuse/connections/{os.minor(os.stat(self.place).st_dev)}/abort"
        if not os.path.exists(control):
            self.libc.mount(b"fusectl", b"/sys/fs/fuse/connections", b"fusectl", 0, None)
        with open(control, "w") as file:
            file.write("1")
        self.libc.umount2(str(self.place).encode(), 2)
        self.thread.join(5)
        os.close(self.device)
