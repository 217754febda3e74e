// Engine: the decision core. (state, event, now) -> decisions with reasons, and nothing else.
//
// It reads no clock, no file and no random device, starts no thread and keeps no pointer into the
// world: equal sequences of calls give equal decisions, byte for byte, on every machine. The live
// hub and the simulator are two drivers of this one class.
//
//     engine.apply(event, now);            // something happened: change the state
//     engine.decide(now, decisions);       // one pass: what starts, and why the first one waits
//
// apply() and decide() are apart because the driver knows what belongs together: the hub applies
// everything that arrived and decides once, the replay of a classic log decides after every event.
//
// Pure does not mean copied: the engine owns its indices (free capacity now and at the time of the
// reservation, running jobs by end, queue by priority) and changes them event by event.
//
// Where there are organisations (tenancy/), who owns what it asks for goes before who has to borrow
// it, and may have those stopped who borrowed it.
//
// Policy: priority classes, first come first served inside a class; with Policy::easy also EASY
// backfill (Lifka 1995; Mu'alem and Feitelson, IEEE TPDS 12(6), 2001): the first job that does not
// fit gets a reservation at the earliest time at which it would, by the limits of what runs; a
// later job may start now if it ends by then, or if the reserved job still fits at that time
// beside it.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/fleet/fleet.hpp"
#include "weir/fleet/free_index.hpp"
#include "weir/sched/event.hpp"
#include "weir/sched/policy.hpp"
#include "weir/tenancy/rights.hpp"

namespace weir::sched {

enum class Phase : std::uint8_t { unknown, held, pending, running, ended };

struct Counts {
    std::uint64_t held = 0;
    std::uint64_t pending = 0;
    std::uint64_t running = 0;
    std::uint64_t decisions = 0;  // starts, reservations and drops since the beginning
};

// Why a job is where it is: what `weir explain` prints.
struct Explanation {
    Phase phase = Phase::unknown;
    Reason reason;
    std::uint64_t ahead = 0;          // jobs before it in the queue
    std::string sentence;             // for people, with the numbers
    std::vector<std::string> also{};  // what else keeps it from starting, beside that
    // Who could be stopped for it, but not before a hard rule lapses.
    struct NotYet {
        JobId job;
        Time until{};
        std::string rule;  // "min_run 10min"
    };
    std::vector<NotYet> not_yet{};
};

// What would have to be otherwise for a job that waits to start now, or when it could at the
// earliest. Each was tried on the state as it is.
struct Counterfactual {
    enum class Change : std::uint8_t {
        fewer_replicas,
        fewer_chips,    // for each replica
        shorter_limit,  // it would end before somebody else's promise
        wider_level,    // it need not be so close together
        other_pool,
        more_rights,  // of its organisation
        others_end,   // nothing: others have to end, at `at`
    };
    Change change = Change::others_end;
    std::uint32_t to = 0;                      // fewer_replicas, fewer_chips: so many at most
    Duration limit{};                          // shorter_limit: so much at most
    fleet::Level within = fleet::Level::site;  // wider_level
    PoolId pool = PoolId::none();              // other_pool
    Time at{};                                 // when it would start; nearly always now
    JobId other{};                             // others_end: the last of them, if one is
    std::string sentence{};                    // "it would start now with 2 replicas fewer (6)"
};

std::string_view name_of(Counterfactual::Change change);

class Engine {
public:
    // rights: of organisations; without any nobody is limited. Requires: they are on this fleet.
    Engine(fleet::Fleet fleet, Policy policy, tenancy::Rights rights = {});
    ~Engine();
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;

    // Could it run if the fleet were empty and whole? The error says what is asked and what the
    // largest place offers. Does not change anything; the hub asks before it accepts a job.
    [[nodiscard]] Result<void> can_ever_fit(const fleet::Demand& demand) const;
    // And would its organisation ever have a right to so much?
    [[nodiscard]] Result<void> can_ever_have(TenantId tenant, const fleet::Demand& demand) const;
    // And could all these datasets ever be at a site where it might run, by room and by rights? To
    // be asked before anything was copied: what others hold takes room here.
    [[nodiscard]] bool can_ever_read(TenantId tenant,
                                     const fleet::Demand& demand,
                                     const std::vector<std::string>& datasets) const;
    // Has the organisation of a job that waits a right to what it asks for now, in this pool or
    // (none) in any? What the job was promised it has.
    [[nodiscard]] bool has_right(JobId job, PoolId pool = PoolId::none()) const;

    // Changes the state. Requires: `now` never goes back, here and in decide(); a submitted job is
    // new and fits the empty fleet; an ended job is running; a cancelled one waits (held or
    // pending).
    void apply(const Event& event, Time now);

    // One scheduling pass; appends to `decisions`. Ensures: the decisions over-commit nothing,
    // start a gang whole or not at all, and delay no job past the time reserved for it by limits.
    void decide(Time now, std::vector<Decision>& decisions);

    // When decide() has something to do although nothing happens (an advance reservation begins, a
    // victim has run long enough ...); `never` if nothing of the kind is known.
    [[nodiscard]] Time wakes_at() const;

    // Nodes for an advance reservation: `count` whole nodes of `pool` that nobody holds or was
    // promised in [from, until). The error says how many there are.
    [[nodiscard]] Result<std::vector<Advance::Nodes>> find_advance(
        PoolId pool, std::uint32_t count, Time from, Time until, Time now) const;
    // Whether the job could end by its deadline beside all promises that stand. The error says when
    // it could start.
    [[nodiscard]] Result<void> can_meet_deadline(const Request& request, Time now) const;

    // When a job that waits is expected to start: what it was promised, or, for those behind the
    // promises, an estimate from what is free in each pool over time; `never` if not before
    // something unknown happens.
    struct Estimate {
        Time at = never;
        bool promised = false;
    };
    [[nodiscard]] Estimate estimate(JobId id, Time now) const;

    // A pass was made at `at`; what it decided is followed next, and may have been nothing. For a
    // driver that follows whole passes: what they do besides, as time goes by, is done here.
    void follow_pass(Time at);
    // Takes over a decision that was made at `at`, by this core or by another: a driver follows
    // what it has on record, and whatever rules wrote it, state and later decisions are as if they
    // had been made here. The error says why it is impossible: it starts or drops a job that does
    // not wait, or takes what is not free; nothing has changed then.
    [[nodiscard]] Result<void> follow(const Decision& decision, Time at);
    // What earlier passes left to spend on planning, and what they looked for in vain, is not in
    // any record: from here on an engine that decided and one that followed go on alike.
    void begin_anew();
    // The fingerprint goes on from one that was recorded after the decisions followed.
    void resume_digest(std::uint64_t digest);

    // What this engine takes over from another one, where fleet or policy became others.
    // Where and when a job that waits could be promised a start beside all promises that stand: by
    // `by` if that can be, else as early as it can; at == never: nothing can be promised. Of one
    // that may run in several sizes: by `by` in `size` if that can be, else by then in another,
    // else in the one by which it ends first.
    [[nodiscard]] Reserve find_promise(JobId job,
                                       Time by,
                                       Time now,
                                       std::uint32_t size = no_size) const;
    static constexpr std::uint32_t no_size = ~std::uint32_t{0};
    // It runs, and saved what it had done.
    void resume_checkpoint(JobId job, Time at);
    // It was asked to stop for others, and still runs here; or it has ended since then, and only
    // the count of an hour remembers it.
    void resume_preemption(JobId job, JobId for_job, Time at);

    // Would this pending job fit into what is free at this moment?
    [[nodiscard]] bool fits_now(JobId job) const;

    [[nodiscard]] Phase phase(JobId job) const;
    [[nodiscard]] const fleet::Placement* placement(JobId job) const;  // null unless running
    [[nodiscard]] Explanation explain(JobId job, Time now) const;
    // Of a job that waits for room or rights, when the last pass has left nobody who could start.
    // other_pools: those that it does not accept, but might; of one that may run in several sizes
    // other_sizes, which it would have in such pools.
    [[nodiscard]] std::vector<Counterfactual> counterfactuals(
        JobId job,
        std::span<const PoolId> other_pools,
        Time now,
        std::span<const Size> other_sizes = {}) const;
    // Of a job that may run in several sizes: when it would end in this one and in others, as of
    // now or, if it runs, of its start as far as this engine has seen that; "" = nothing to say.
    [[nodiscard]] std::string sizes_in_words(JobId job, Time now) const;
    // The number of the size in which it waits or runs; 0 of others.
    [[nodiscard]] std::uint32_t chosen_size(JobId job) const;
    [[nodiscard]] Counts counts() const;
    [[nodiscard]] const fleet::Fleet& fleet() const;
    // Where datasets lie, and what is on its way.
    [[nodiscard]] const Staging& staging() const;
    // What organisations use now (running and promised), and may use. Requires: there are any.
    [[nodiscard]] const tenancy::QuotaTree& quotas() const;
    [[nodiscard]] const tenancy::Rights& rights() const;
    // The share (drf, in millionths) or the rank (tree) by which an organisation waits its turn.
    [[nodiscard]] std::uint32_t fair_value(TenantId tenant) const;
    // What each pool has free now, in the order of Fleet::pools.
    struct PoolFree {
        std::uint32_t nodes_up = 0;
        std::uint32_t nodes_idle = 0;
        std::uint64_t chips_milli = 0;
        std::uint64_t cpus_milli = 0;
        Bytes memory;
    };
    [[nodiscard]] PoolFree free_of(PoolId pool) const;
    [[nodiscard]] NodeHealth health(PoolId pool, std::uint32_t node) const;
    // What a rack, pod or site draws by the model of fleet/power.hpp, and may draw.
    [[nodiscard]] fleet::FreeIndex::PowerUse power_of(const PowerDomain& domain) const;

    // Fingerprint of every decision taken so far: equal for equal event sequences.
    [[nodiscard]] std::uint64_t digest() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace weir::sched
