"""Tells network file systems, on which SQLite loses data, from the mount table."""

from __future__ import annotations

import os
import re

# A closed list: an unknown type is allowed. 9p and virtiofs are not in it, for they are mostly the
# local disk of a sandbox or virtual machine, seen from inside.
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
    """The type of the file system of an absolute, resolved path, by the text of /proc/self/mountinfo.

    None when no line covers the path. Of mounts over one another the last counts.
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
    """The type of the network file system that a folder lies on; None if it is local or unknown."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            text = table.read()
    except OSError:
        return None  # not Linux: unknown types are allowed
    kind = type_of_mount(os.path.realpath(folder), text)
    return kind if kind in NETWORK_TYPES else None
