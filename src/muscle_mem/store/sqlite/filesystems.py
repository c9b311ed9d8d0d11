"""Detection of network file systems, on which SQLite loses data.

It reads the mount table.
"""

from __future__ import annotations

import os
import re

# Unknown types are allowed. 9p and virtiofs are not listed, because they usually are the local disk of a sandbox or
# virtual machine.
_KERNEL = (
    "nfs",
    "nfs4",
    "cifs",
    "smb2",
    "smb3",
    "smbfs",
    "afs",
    "ncpfs",
    "davfs",
    "ceph",
    "lustre",
    "gpfs",
    "glusterfs",
    "beegfs",
    "panfs",
    "orangefs",
    "pvfs2",
)
_FUSE = (
    "sshfs",
    "glusterfs",
    "ceph",
    "ceph-fuse",
    "davfs",
    "davfs2",
    "s3fs",
    "gcsfuse",
    "goofys",
    "rclone",
    "blobfuse",
    "blobfuse2",
    "juicefs",
    "smbnetfs",
    "curlftpfs",
    "mount-s3",
)
NETWORK_TYPES = frozenset((*_KERNEL, *(f"fuse.{kind}" for kind in _FUSE)))


def type_of_mount(path: str, mountinfo: str) -> str | None:
    """Return the file system type of an absolute, resolved path, or None if unknown.

    `mountinfo` is the text of /proc/self/mountinfo. If mounts cover each other, the last one counts.
    """
    best, found = -1, None
    for line in mountinfo.splitlines():
        head, dash, tail = line.partition(" - ")
        fields, kind = head.split(), tail.split()
        if not dash or len(fields) < 5 or not kind:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        covers = path == point or path.startswith(point.rstrip("/") + "/")
        if covers and len(point) >= best:
            best, found = len(point), kind[0]
    return found


def network_type(folder: str) -> str | None:
    """Return the network file system type of a folder; None if local or unknown."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            text = table.read()
    except OSError:
        return None  # Other systems than Linux have no such table.
    kind = type_of_mount(os.path.realpath(folder), text)
    return kind if kind in NETWORK_TYPES else None
