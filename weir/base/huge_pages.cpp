#include "weir/base/huge_pages.hpp"

#include <errno.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <fstream>
#include <string>

namespace weir {
namespace {

constexpr const char* tunables = "GLIBC_TUNABLES";
constexpr const char* again = "WEIR_STARTED_AGAIN";  // so that nothing can make it start for ever

// "always [madvise] never": whether those who ask for them get some.
bool may_be_had() {
    std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
    std::string modes;
    std::getline(file, modes);
    return modes.find("[madvise]") != std::string::npos;
}

// The file of this program; "" where something else runs it (a loader, an emulator).
std::string own_file() {
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return "";
    std::string file(path, static_cast<std::size_t>(length));
    return file.substr(file.rfind('/') + 1) == program_invocation_short_name ? file : "";
}

}  // namespace

void use_huge_pages(char** argv) {
    if (std::getenv(again) != nullptr) {
        unsetenv(again);
        unsetenv(tunables);
        return;
    }
    // Whoever is watched by a tool, or has rights that its user has not, is left as it is.
    const bool is_watched = std::getenv("LD_PRELOAD") != nullptr;
    if (std::getenv(tunables) != nullptr || is_watched || getauxval(AT_SECURE) != 0) return;
    const std::string file = own_file();
    if (file.empty() || !may_be_had()) return;
    setenv(tunables, "glibc.malloc.hugetlb=1", 1);
    setenv(again, "1", 1);
    execv(file.c_str(), argv);
    unsetenv(again);
    unsetenv(tunables);
}

}  // namespace weir
