// LocalExecutor: runs attempts on this machine, each under a weir-shepherd of its own.
//
// The idea: all truth is in run folders (shepherd_protocol.hpp) and in the lock that a living
// shepherd holds on its folder, so the executor can forget everything at any moment. start()
// writes a folder and spawns a shepherd; if another one has the attempt already, or had it once,
// the new one leaves without a trace. What the executor keeps in memory is only whom it waits
// for: a pidfd per shepherd, whose end it hears at once; a datagram that comes before the
// shepherd's fsync and saves that time; and, should both fail, a look at every folder now and
// then. A shepherd that was killed leaves a folder without end and without lock: the attempt is
// lost, what it left running is killed, and that is reported like any other end.
//
// Threads: every public function from any thread. The callback comes from one thread of its own,
// never from inside start(), stop(), find() or forget(), and each attempt's end is given at most
// once: by the callback or by find(), whichever sees it first.
#pragma once

#include <memory>
#include <string>

#include "weir/base/result.hpp"
#include "weir/exec/cgroup.hpp"
#include "weir/exec/executor.hpp"

namespace weir::exec {

class LocalExecutor final : public Executor {
public:
    struct Options {
        std::string data_dir;         // absolute; attempts live in data_dir/runs
        std::string shepherd;         // path of weir-shepherd; "" = beside the running program
        CgroupDelegation delegation;  // where memory limits can be enforced; default: nowhere
        Duration rescan = seconds(2);
    };

    // Makes data_dir/runs and starts the thread. Fails when the shepherd cannot be executed.
    static Result<std::unique_ptr<LocalExecutor>> open(Options options, OnEnd on_end);
    ~LocalExecutor() override;  // running attempts run on

    Result<void> start(const Launch& launch) override;
    Result<void> stop(AttemptId attempt, const Stop& how) override;
    Found find(AttemptId attempt) override;
    // The folder stays, with its output and the mark that the attempt was started once: a
    // shepherd that comes late must still find it. Who wants the room back removes old folders.
    void forget(AttemptId attempt) override;

    [[nodiscard]] std::string folder_of(AttemptId attempt) const;

private:
    class Impl;
    explicit LocalExecutor(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// weir-shepherd beside the running program.
std::string default_shepherd_path();

}  // namespace weir::exec
