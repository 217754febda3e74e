#include "weir/base/huge_pages.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace weir {
namespace {

constexpr const char* variable = "GLIBC_TUNABLES";
constexpr const char* value = "glibc.malloc.hugetlb=1";

// "always [madvise] never": whether those who ask for them get some.
bool may_be_had() {
    std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
    std::string modes;
    std::getline(file, modes);
    return modes.find("[madvise]") != std::string::npos;
}

}  // namespace

void use_huge_pages(char** argv) {
    if (const char* const set = std::getenv(variable); set != nullptr) {
        if (std::string(set) == value) unsetenv(variable);  // it is the second start
        return;
    }
    if (!may_be_had()) return;
    setenv(variable, value, 1);
    execv("/proc/self/exe", argv);
    unsetenv(variable);
}

}  // namespace weir
