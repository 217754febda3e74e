// FakeExecutor: an executor whose attempts end when the test says so. For tests only.
//
// It keeps its own truth of which attempts ran, apart from what the hub believes, and notes every
// breach of the one promise that matters: an attempt is executed once, and another attempt of the
// same job only after the one before is over. Like the real one it survives the hub; it answers
// find() from its truth, remembers that a forgotten attempt was started once, and reports nothing
// by itself: the test takes the ends and delivers, loses or repeats them.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "weir/exec/executor.hpp"

namespace weir::hub {

class FakeExecutor : public exec::Executor {
public:
    struct Attempt {
        exec::Launch launch;
        bool alive = true;
        bool lost = false;  // its keeper is gone and left no end
        bool forgotten = false;
        bool stop_asked = false;
        exec::Stop stop;  // how, the last time
        exec::AttemptEnd end;
    };

    Result<void> start(const exec::Launch& launch) override {
        cross("start");
        if (refuse_starts) return fail(*refuse_starts);
        if (attempts.count(launch.attempt) == 0) {
            for (const auto& [id, other] : attempts) {
                if (id.job != launch.attempt.job) continue;
                if (other.alive) {
                    breach("attempt " + exec::text_of(launch.attempt) + " starts while " +
                           exec::text_of(id) + " is alive");
                }
                if (!other.lost && other.end.kind != exec::EndKind::stopped) {
                    breach("attempt " + exec::text_of(launch.attempt) + " starts although " +
                           exec::text_of(id) + " has ended and was not lost");
                }
            }
            attempts[launch.attempt].launch = launch;
            order.push_back(launch.attempt);
            if (on_start) on_start(launch);
        }
        cross("started");
        return {};
    }

    Result<void> stop(exec::AttemptId id, const exec::Stop& how) override {
        cross("stop");
        const auto found = attempts.find(id);
        if (found == attempts.end()) {
            return fail(Code::not_found, "attempt " + exec::text_of(id) + " was never started");
        }
        found->second.stop_asked = true;
        found->second.stop = how;
        return {};
    }

    exec::Found find(exec::AttemptId id) override {
        cross("find");
        const auto found = attempts.find(id);
        if (found == attempts.end()) return {};
        const Attempt& attempt = found->second;
        if (attempt.alive) return {.presence = exec::Presence::running, .end = {}};
        if (attempt.lost || attempt.forgotten) {
            return {.presence = exec::Presence::lost, .end = {}};
        }
        return {.presence = exec::Presence::ended, .end = attempt.end};
    }

    void forget(exec::AttemptId id) override {
        cross("forget");
        if (const auto found = attempts.find(id); found != attempts.end()) {
            if (found->second.alive) breach(exec::text_of(id) + " is forgotten while alive");
            found->second.forgotten = true;
        }
    }

    // What the world does. Each ends a living attempt and returns the report of it.
    exec::AttemptEnd finish(exec::AttemptId id, int exit_code, Time at) {
        Attempt& attempt = attempts.at(id);
        attempt.alive = false;
        attempt.end.attempt = id;
        attempt.end.kind = attempt.stop_asked ? exec::EndKind::stopped : exec::EndKind::exited;
        attempt.end.exit_code = exit_code;
        attempt.end.started_at = at;
        attempt.end.ended_at = at;
        return attempt.end;
    }
    exec::AttemptEnd lose(exec::AttemptId id, Time at) {
        exec::AttemptEnd end = finish(id, 0, at);
        attempts.at(id).lost = true;
        end.kind = exec::EndKind::lost;
        return end;
    }

    [[nodiscard]] std::vector<exec::AttemptId> alive() const {
        std::vector<exec::AttemptId> ids;
        for (const auto& [id, attempt] : attempts) {
            if (attempt.alive) ids.push_back(id);
        }
        return ids;
    }

    std::map<exec::AttemptId, Attempt> attempts;
    std::vector<exec::AttemptId> order;  // of starts
    std::vector<std::string> breaches;
    std::optional<Error> refuse_starts;
    std::function<void(const exec::Launch&)> on_start;
    std::function<void(const char*)> at_boundary;  // before and after every effect

private:
    void cross(const char* where) const {
        if (at_boundary) at_boundary(where);
    }
    void breach(std::string what) { breaches.push_back(std::move(what)); }
};

}  // namespace weir::hub
