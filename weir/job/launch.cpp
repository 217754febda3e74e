#include "weir/job/launch.hpp"

#include <algorithm>
#include <array>

namespace weir::job {
namespace {

constexpr std::array<std::string_view, 9> launchers{"mpirun",
                                                    "mpiexec",
                                                    "mpiexec.hydra",
                                                    "orterun",
                                                    "prun",
                                                    "srun",
                                                    "torchrun",
                                                    "deepspeed",
                                                    "aprun"};
// What stands in front of a command without being it.
constexpr std::array<std::string_view, 7> wrappers{
    "exec", "env", "time", "nice", "nohup", "command", "stdbuf"};

template <std::size_t n>
bool among(const std::array<std::string_view, n>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::string_view next_word(std::string_view& line) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return line = {};
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(" \t;&|"), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end);
    return word;
}

bool is_assignment(std::string_view word) {
    const auto equals = word.find('=');
    return equals != std::string_view::npos && equals > 0 &&
           word.substr(0, equals).find_first_of("/'\"$-") == std::string_view::npos;
}

bool starts_launcher(std::string_view line) {
    bool wrapped = false;
    for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
        if (word.front() == '#') return false;
        // `nice -n 5 mpirun`: options of a wrapper and their numbers.
        const bool option =
            wrapped && (word.front() == '-' || (word.front() >= '0' && word.front() <= '9'));
        if (option || is_assignment(word)) continue;
        if (const auto slash = word.rfind('/'); slash != std::string_view::npos) {
            word.remove_prefix(slash + 1);
        }
        if (among(launchers, word)) return true;
        if (!among(wrappers, word)) return false;
        wrapped = true;
    }
    return false;
}

}  // namespace

LaunchMode launch_mode_for(std::string_view script) {
    while (!script.empty()) {
        const auto end = std::min(script.find('\n'), script.size());
        if (starts_launcher(script.substr(0, end))) return LaunchMode::once;
        script.remove_prefix(std::min(end + 1, script.size()));
    }
    return LaunchMode::replicas;
}

}  // namespace weir::job
