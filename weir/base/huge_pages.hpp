// Huge pages for a program that keeps a large world in memory.
//
// A decision core with a hundred thousand nodes and as many jobs goes through two hundred megabytes
// in no order; with pages of 4 KiB the way to a page takes about as long as what is done there, and
// pages of 2 MiB make it an eighth to a sixth faster (bench/README.md). glibc asks the kernel for
// them with its tunable glibc.malloc.hugetlb=1 (since 2.35), which it reads from the environment
// before main() begins; so the program starts itself once more, with the same process id.
#pragma once

namespace weir {

// Call it first in main(), or before anything is done that a second start would do again: threads,
// files, locks. Returns with huge pages where there are any to have. Nothing happens where the user
// has set GLIBC_TUNABLES or LD_PRELOAD, the kernel gives no huge pages to those who ask, something
// else runs the program (a loader, valgrind), or the second start fails.
// What it sets in the environment is gone when it returns, so that no child inherits it.
void use_huge_pages(char** argv);

}  // namespace weir
