"""The images without a container engine: their instructions executed in a chroot of Debian."""
