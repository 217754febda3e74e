// Executor: the port to whatever runs jobs. One attempt in, one end out, each exactly once.
//
// start() is idempotent by attempt: asking twice for the same attempt starts it once, also across
// a crash of the hub between the two. What happened comes back as an AttemptEnd through the
// callback, from any thread; after a restart the hub asks find() about every attempt that its
// journal says is running, and acts on the answer. Reports are level-triggered: an end is reported
// again by find() until forget().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/id.hpp"
#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"

namespace weir::exec {

struct AttemptId {
    JobId job;
    std::uint32_t number = 1;  // 1 for the first execution
    friend auto operator<=>(const AttemptId&, const AttemptId&) = default;
};
std::string text_of(AttemptId id);  // "12.1"

// One process that weir starts: a rank of a gang.
struct Task {
    std::uint32_t rank = 0;
    std::string node;                        // its name
    std::map<std::string, std::string> env;  // what is particular to this rank
    std::string stdout_path;                 // absolute
    std::string stderr_path;                 // may equal stdout_path
};

// At `path` will be a link to `target`, both absolute; another link there is replaced. Without a
// target there will be none.
struct Link {
    std::string path;
    std::string target;
    friend bool operator==(const Link&, const Link&) = default;
};

struct Launch {
    AttemptId attempt;
    std::string script;                      // run by its #! interpreter, or by /bin/sh
    std::string workdir;                     // absolute
    std::vector<Link> links{};               // made before anything starts
    std::map<std::string, std::string> env;  // of every task
    std::vector<Task> tasks;                 // started together; one failing ends all
    Duration limit = forever;
    Duration grace = seconds(10);
    Bytes memory_limit;  // of all tasks together; 0 = none
    Bytes output_limit;  // of each stream
};

enum class EndKind : std::uint8_t {
    exited,       // by itself: exit_code or signal
    time_limit,   // the limit was enforced
    memory,       // the kernel's memory limit was hit
    stopped,      // stop() was asked
    not_started,  // no command ran: bad folder, missing interpreter; or see machine_failed
    lost,         // machine or shepherd went away; how it ended is not known
};
std::string_view name_of(EndKind kind);

struct AttemptEnd {
    AttemptId attempt;
    EndKind kind = EndKind::exited;
    int exit_code = 0;       // of the first task that failed, else 0
    int signal = 0;          // that ended it, else 0
    std::uint32_t rank = 0;  // the task they belong to
    // not_started only: the machine could not (no process, memory or room on the disk was left),
    // so another try may go well. What the job itself has wrong fails every time.
    bool machine_failed = false;
    std::string detail;  // one sentence for people, "" when there is nothing to add
    Time started_at{};
    Time ended_at{};
    Bytes max_rss;   // the largest of the tasks
    Duration cpu{};  // user + system, all tasks
    bool output_cut = false;

    [[nodiscard]] bool succeeded() const {
        return kind == EndKind::exited && exit_code == 0 && signal == 0;
    }
};

enum class Presence : std::uint8_t {
    never_started,  // no trace of it: start() will start it
    running,        // alive; its end will be reported through the callback
    ended,          // see Found::end
    lost,           // it was started, its keeper is gone and left no end
};

// How an attempt is asked to end: first, if there is a signal for it, to save what it has done;
// then by the polite signal; then by SIGKILL. It may end sooner at any point.
struct Stop {
    Duration grace = seconds(10);  // between the polite signal and SIGKILL
    int save_signal = 0;           // 0 = nothing to save
    Duration save_time{};          // for saving
};

struct Found {
    Presence presence = Presence::never_started;
    AttemptEnd end;  // valid iff ended
};

using OnEnd = std::function<void(const AttemptEnd&)>;

class Executor {
public:
    virtual ~Executor() = default;
    // Accepted: the outcome comes through the callback, also when the command cannot be started.
    virtual Result<void> start(const Launch& launch) = 0;
    // Signals go to the whole tree. The end is reported as `stopped`, also where it ended by itself
    // once it was asked to save. Asking again shortens the patience and never adds to it.
    virtual Result<void> stop(AttemptId attempt, const Stop& how) = 0;
    // What is known of an attempt; when it runs, it is adopted: its end will be reported.
    virtual Found find(AttemptId attempt) = 0;
    // The end is journalled: its traces (not its output) may go.
    virtual void forget(AttemptId attempt) = 0;
};

}  // namespace weir::exec
