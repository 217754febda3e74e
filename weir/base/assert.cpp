#include "weir/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace weir {

void assertion_failed(const char* promise, const char* file, int line) {
    std::fprintf(stderr, "weir: broken promise: %s (%s:%d)\n", promise, file, line);
    std::abort();
}

}  // namespace weir
