"""Which allocators there are, and how one is put under a program."""
