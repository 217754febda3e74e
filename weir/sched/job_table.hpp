// JobTable: the jobs that wait or run, and one word for every job there ever was.
//
// A live job is a slot in one array; slots are reused, so memory follows what waits and runs, not
// what has been. Of an ended job only its outcome stays (for jobs that depend on it).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "weir/base/assert.hpp"
#include "weir/base/id.hpp"
#include "weir/base/time.hpp"
#include "weir/fleet/demand.hpp"
#include "weir/fleet/free_index.hpp"
#include "weir/sched/engine.hpp"
#include "weir/sched/event.hpp"
#include "weir/sched/plan.hpp"
#include "weir/sched/quotas.hpp"
#include "weir/sched/waiting.hpp"

namespace weir::sched {

struct Job {
    static constexpr std::uint8_t not_charged = 255;

    JobId id;
    Phase phase = Phase::unknown;
    job::Priority priority = job::Priority::normal;
    Cause cause = Cause::fits_now;  // running: why it was started
    bool stopping = false;          // running: it was asked to stop for others
    bool parked = false;            // pending: as many of its array run as may
    bool replace_failed = false;
    bool in_backlog = false;  // pending: counted in the work that waits at its sites
    std::uint32_t shape = 0;  // position in Shapes
    std::uint32_t line = 0;   // position in Lines
    TenantId tenant{0};
    std::uint8_t grade = 0;              // pending: of its promise
    std::uint8_t charged = not_charged;  // the kind in which its organisation is charged ...
    Time charged_until = never;          // ... by its limit
    // Pending, an owner: not before, it tries to have others stopped, after so many tries in vain.
    Time reclaim_at = Time::min();
    std::uint8_t reclaim_tries = 0;
    mutable std::uint64_t owns_nothing_at = 0;  // with loans: Quotas::gains_of; see reclaim.cpp
    std::uint32_t unmet = 0;                    // dependencies that have not ended
    Duration limit = forever;
    Time submitted_at{};
    Time started_at{};  // running
    Time end_by{};      // running: start + limit, or earlier when it is asked to stop
    Time deadline = never;
    Rank rank;        // the place in the queue, also after a retry
    Rank overtaking;  // the place among those that may overtake
    JobId array;      // invalid when it is not a member of a throttled array
    Checkpointing checkpoint;
    Time saved_at = never;  // running: its last checkpoint; never = none
    Duration expected{};
    std::uint64_t owner = 0;
    std::uint64_t likeness = 0;
    JobId stopped_for;             // running and stopping: who it makes room for
    Place promise;                 // pending: what it was promised
    std::uint64_t planned_at = 0;  // promised: changes where it is, when it was last planned
    std::uint64_t tried_at = 0;    // pending: changes of its pools when it was last tried
    std::vector<std::uint64_t> gains_tried;  // promised: gains of each domain when it did not fit
    std::uint64_t asked_in = 0;       // pending: the last pass in which a promise was looked for
    Time planned_when = Time::min();  // pending: when a promise was last looked for
    bool planned_tight = false;       // and whether room was held from the earliest time on
    fleet::Placement placement;       // running
};

// Jobs and what they hold lie scattered in memory: who looks at very many of them asks for each
// some time before.
template <class What>
void fetch(const What* what) {
    for (std::size_t i = 0; i < sizeof(What); i += 64)
        __builtin_prefetch(reinterpret_cast<const char*>(what) + i);
}

class JobTable {
public:
    struct Mark {
        std::uint32_t slot = no_slot;
        Phase phase = Phase::unknown;
        Outcome outcome = Outcome::succeeded;  // valid iff ended
    };

    Job& add(JobId id) {
        if (id.value >= marks_.size()) marks_.resize(id.value + 1 + id.value / 2);
        Mark& mark = marks_[id.value];
        WEIR_ASSERT(mark.phase == Phase::unknown);
        if (free_.empty()) {
            if (count_ % page_jobs == 0) pages_.push_back(std::make_unique<Page>());
            mark.slot = count_++;
        } else {
            mark.slot = free_.back();
            free_.pop_back();
            at(mark.slot) = Job{};
        }
        at(mark.slot).id = id;
        return at(mark.slot);
    }

    void set_phase(Job& job, Phase phase) {
        job.phase = phase;
        marks_[job.id.value].phase = phase;
    }

    void end(Job& job, Outcome outcome) {
        Mark& mark = marks_[job.id.value];
        const std::uint32_t slot = mark.slot;
        mark = {.slot = no_slot, .phase = Phase::ended, .outcome = outcome};
        job.placement.ranges.clear();
        free_.push_back(slot);
    }

    [[nodiscard]] Mark mark(JobId id) const {
        return id.value < marks_.size() ? marks_[id.value] : Mark{};
    }
    [[nodiscard]] std::uint32_t slot_of(JobId id) const { return mark(id).slot; }
    // Calls visit(job) for all slots, those that nobody uses as well.
    template <class Visit>
    void for_all(Visit visit) {
        for (std::uint32_t slot = 0; slot < count_; ++slot)
            visit(at(slot));
    }
    [[nodiscard]] Job& at(std::uint32_t slot) {
        return (*pages_[slot / page_jobs])[slot % page_jobs];
    }
    [[nodiscard]] const Job& at(std::uint32_t slot) const {
        return (*pages_[slot / page_jobs])[slot % page_jobs];
    }

private:
    // Pages: jobs keep their addresses, and the way to one is short enough to stay in the cache.
    static constexpr std::uint32_t page_jobs = 64;
    using Page = std::array<Job, page_jobs>;

    std::vector<std::unique_ptr<Page>> pages_;
    std::uint32_t count_ = 0;  // slots
    std::vector<std::uint32_t> free_;
    std::vector<Mark> marks_;  // by id
};

// Jobs of one shape and one organisation: what holds for the rights of one holds for all. A choice
// looks at dozens of lines: what it asks of them lies here, and in as few cache lines as it can.
struct alignas(64) Line {
    std::uint32_t shape = 0;
    TenantId tenant;
    // Its place in the order as long as nothing moves it (Quotas::moves_of).
    std::uint64_t placed_at = 0;
    tenancy::Standing standing{};
    // In this pass, who would end then or later does not fit where the organisation may start.
    std::uint64_t blocked_in = 0;
    Time blocked_from = Time::max();
    Duration nobody_below{};  // nobody in Waiting has a limit below this
    // Who may overtake first of those with a limit below that, until somebody joins or leaves; 0:
    // not known. And who is first in the queue; no_slot: not known.
    Duration first_below{};
    Duration first_limit{};
    Rank first_rank{};
    Rank front_rank{};
    std::uint32_t first_slot = no_slot;
    std::uint32_t front_slot = no_slot;
    std::uint64_t looked_in = 0;  // where there are loans: the choice it was last looked at for
    std::uint32_t jobs = 0;       // that wait or run
    std::uint32_t eligible = 0;   // jobs in Waiting

    std::uint64_t changes = 1;  // counts who joined or left

    void joined_or_left() {
        ++changes;
        first_below = {};
        front_slot = no_slot;
    }
};
using Lines = std::vector<Line>;
inline constexpr std::uint32_t no_line = std::numeric_limits<std::uint32_t>::max();

// The different demands there are. Jobs with equal demands share one shape, so what is found out
// about one of them in a pass holds for all.
struct ShapeInfo {
    fleet::Shape shape;
    ShapeKinds kinds{};
    // Where there are organisations: lines that have eligible jobs, and which it is by
    // organisation; and of all lines, those that nobody uses as well.
    std::vector<std::uint32_t> lines{};
    std::vector<std::uint32_t> line_of_tenant{};
    std::vector<std::uint32_t> known_lines{};
    std::uint64_t joined_or_left = 0;
    std::uint32_t jobs = 0;            // that wait or run
    std::uint32_t eligible = 0;        // jobs in Waiting
    bool to_try = false;               // is in the list of shapes that something changed for
    std::uint64_t passed_over_in = 0;  // the choice in which nobody of it could be promised a start

    // Who would end then or later does not fit now, for all we know: anywhere, and outside of the
    // domains in which something became free since that was found out.
    Time blocked_from = Time::max();
    Time blocked_elsewhere = Time::max();
    std::uint64_t gained = 0;  // those domains, by bits of their numbers modulo 64

    void know_nothing() { blocked_from = blocked_elsewhere = Time::max(); }
    void gained_in(std::uint32_t domain) {
        if (blocked_from != Time::max()) {
            blocked_elsewhere = std::exchange(blocked_from, Time::max());
            gained = 0;
        }
        gained |= std::uint64_t{1} << (domain % 64);
    }
    [[nodiscard]] bool may_fit_in(std::uint32_t domain) const {
        return ((gained >> (domain % 64)) & 1) != 0;
    }
};
using Shapes = std::deque<ShapeInfo>;  // a deque: shapes keep their addresses

}  // namespace weir::sched
