#include "weir/exec/leftovers.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include "weir/exec/run_files.hpp"
#include "weir/exec/shepherd_protocol.hpp"
#include "weir/exec/shepherd_tree.hpp"

namespace weir::exec {
namespace {

std::set<pid_t> sessions_of(const std::string& run_folder) {
    std::set<pid_t> sessions;
    const auto text = read_whole(run_folder + "/" + protocol::state_file);
    if (!text) return sessions;
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

bool has_variable(pid_t pid, const std::string& entry) {
    const auto env = read_whole("/proc/" + std::to_string(pid) + "/environ");
    if (!env) return false;
    const std::string wanted = entry + '\0';
    for (std::size_t at = env->find(wanted); at != std::string::npos;
         at = env->find(wanted, at + 1)) {
        if (at == 0 || (*env)[at - 1] == '\0') return true;
    }
    return false;
}

}  // namespace

int kill_leftovers(const std::string& run_folder, bool loss_is_fresh) {
    const std::string entry = "WEIR_RUN_DIR=" + run_folder;
    const std::set<pid_t> sessions = loss_is_fresh ? sessions_of(run_folder) : std::set<pid_t>{};
    int reached = 0;
    for (int round = 0; round < 200; ++round) {
        shepherd::ProcessEntry* entries = nullptr;
        const int count = shepherd::read_processes(&entries);
        const std::unique_ptr<shepherd::ProcessEntry, void (*)(void*)> owner(entries, std::free);
        int found = 0;
        for (int i = 0; i < count; ++i) {
            const auto& process = entries[i];
            if (process.pid <= 1 || process.pid == ::getpid()) continue;
            if (process.state == 'Z' || process.state == 'X') continue;
            if (sessions.count(process.session) == 0 && !has_variable(process.pid, entry)) continue;
            if (::kill(process.pid, SIGKILL) == 0) ++found;
        }
        if (found == 0) break;
        reached = std::max(reached, found);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return reached;
}

}  // namespace weir::exec
