#include "weir/exec/leftovers.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "weir/exec/run_files.hpp"
#include "weir/exec/shepherd_protocol.hpp"
#include "weir/exec/shepherd_tree.hpp"

namespace weir::exec {
namespace {

using Sessions = std::set<pid_t>;

// None when the file is there and cannot be read.
std::optional<Sessions> sessions_of(const std::string& run_folder) {
    Sessions sessions;
    const auto text = read_whole(run_folder + "/" + protocol::state_file);
    if (!text) return text.error().code == Code::io ? std::nullopt : std::optional(sessions);
    std::istringstream lines(*text);
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string word;
        int rank = 0;
        pid_t pid = 0;
        if (words >> word >> rank >> pid && word == "task" && pid > 1) sessions.insert(pid);
    }
    return sessions;
}

enum class Answer { no, yes, unknown };

// A process that is gone, or belongs to somebody else, is none of ours.
Answer has_variable(pid_t pid, const std::string& entry) {
    const auto env = read_whole("/proc/" + std::to_string(pid) + "/environ");
    if (!env) return env.error().code == Code::io ? Answer::unknown : Answer::no;
    const std::string wanted = entry + '\0';
    for (std::size_t at = env->find(wanted); at != std::string::npos;
         at = env->find(wanted, at + 1)) {
        if (at == 0 || (*env)[at - 1] == '\0') return Answer::yes;
    }
    return Answer::no;
}

}  // namespace

std::optional<int> kill_leftovers(const std::string& run_folder, bool loss_is_fresh) {
    const std::string entry = "WEIR_RUN_DIR=" + run_folder;
    const auto sessions = loss_is_fresh ? sessions_of(run_folder) : Sessions{};
    if (!sessions) return std::nullopt;
    int reached = 0;
    for (int round = 0; round < 200; ++round) {
        shepherd::ProcessEntry* entries = nullptr;
        bool looked = true;
        const int count = shepherd::read_processes(&entries, &looked);
        const std::unique_ptr<shepherd::ProcessEntry, void (*)(void*)> owner(entries, std::free);
        int found = 0;
        for (int i = 0; i < count; ++i) {
            const auto& process = entries[i];
            if (process.pid <= 1 || process.pid == ::getpid()) continue;
            if (process.state == 'Z' || process.state == 'X') continue;
            if (sessions->count(process.session) == 0) {
                const Answer ours = has_variable(process.pid, entry);
                looked = looked && ours != Answer::unknown;
                if (ours != Answer::yes) continue;
            }
            if (::kill(process.pid, SIGKILL) == 0) ++found;
        }
        if (!looked) return std::nullopt;
        if (found == 0) break;
        reached = std::max(reached, found);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return reached;
}

}  // namespace weir::exec
