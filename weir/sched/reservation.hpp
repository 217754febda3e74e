// Reservation: the earliest time at which the first waiting job will fit, and the state of the
// fleet at that time.
//
// The one idea: beside the index of what is free now there is a second one, of what will be free
// at the reserved time, which is the first one plus everything that must have ended by then:
//
//     now  ────────●──────────────●───────────────●────►  time
//                  ends           ends            ends
//     free(now) + give … + give = free(at)        still taken at `at`
//
// Both change event by event; the reserved time moves along the ends of the running jobs, forward
// until the job fits and back while it still does. So the time costs a few steps when little has
// changed, and "would this later job be in the way?" is asked of a real state of real nodes.
//
// Ends are by limits, which users promise and executors enforce; a job that outlives its limit is
// expected to end any moment.
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "weir/base/time.hpp"
#include "weir/fleet/free_index.hpp"
#include "weir/sched/job_table.hpp"

namespace weir::sched {

class Reservation {
public:
    explicit Reservation(const fleet::Fleet& fleet) : future_(fleet) {}

    // A job holds its placement from now until end_by. `counted`: already taken at the reserved
    // time (by fits_beside).
    void started(std::uint32_t slot, const Job& job, const fleet::Shape& shape, bool counted);
    void ended(std::uint32_t slot, const Job& job, const fleet::Shape& shape);
    void set_in_service(PoolId pool, std::uint32_t node, bool in_service);

    // Moves to the earliest time at which `shape` fits; `never` when it would not even if every
    // running job ended (nodes are out of service).
    Time move_for(const fleet::Shape& shape, const JobTable& jobs, const Shapes& shapes);

    // Takes `placement` at the reserved time if the reserved job still fits there beside it.
    [[nodiscard]] bool fits_beside(const fleet::Shape& reserved,
                                   const fleet::Shape& other,
                                   const fleet::Placement& placement);

    [[nodiscard]] Time at() const { return at_; }

private:
    using End = std::pair<Time, std::uint32_t>;  // end_by, slot

    fleet::FreeIndex future_;                  // what is free at at_
    Time at_ = Time::min();                    // everything with end_by <= at_ is given in future_
    std::set<End> ends_;                       // of running jobs
    const fleet::Shape* moved_for_ = nullptr;  // earlier was tried for this shape ...
    bool more_free_ = true;                    // ... and something was given back since
};

}  // namespace weir::sched
