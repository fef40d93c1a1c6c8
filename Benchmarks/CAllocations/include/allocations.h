// Counts the allocations of the process it is linked into.
#pragma once

/// Calls of malloc, calloc and realloc so far, in all threads.
unsigned long allocations_so_far(void);
