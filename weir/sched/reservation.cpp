// See reservation.hpp. Invariant: future_ = what is free now, and given to it the placement of
// every running job with end_by <= at_ (an end that is due counts as one that happened).
#include "weir/sched/reservation.hpp"

#include <iterator>

namespace weir::sched {

void Reservation::started(std::uint32_t slot,
                          const Job& job,
                          const fleet::Shape& shape,
                          bool counted) {
    ends_.emplace(job.end_by, slot);
    if (job.end_by > at_ && !counted) future_.take(shape, job.placement);
}

void Reservation::ended(std::uint32_t slot, const Job& job, const fleet::Shape& shape) {
    ends_.erase({job.end_by, slot});
    if (job.end_by > at_) future_.give(shape, job.placement);
    more_free_ = true;
}

void Reservation::set_in_service(PoolId pool, std::uint32_t node, bool in_service) {
    future_.set_in_service(pool, node, in_service);
    more_free_ = true;
}

bool Reservation::fits_beside(const fleet::Shape& reserved,
                              const fleet::Shape& other,
                              const fleet::Placement& placement) {
    future_.take(other, placement);
    if (future_.fits(reserved)) return true;
    future_.give(other, placement);
    return false;
}

Time Reservation::move_for(const fleet::Shape& shape, const JobTable& jobs, const Shapes& shapes) {
    const auto give_or_take = [&](Time end_by, bool giving) {
        for (auto end = ends_.lower_bound({end_by, 0}); end != ends_.end() && end->first == end_by;
             ++end) {
            const Job& job = jobs.at(end->second);
            const fleet::Shape& its = shapes[job.shape].shape;
            giving ? future_.give(its, job.placement) : future_.take(its, job.placement);
        }
    };

    if (!future_.fits(shape)) {
        // Later: let more jobs end. What is at its limit at one time ends together.
        for (auto next = ends_.upper_bound({at_, no_slot}); next != ends_.end();
             next = ends_.upper_bound({at_, no_slot})) {
            at_ = next->first;
            give_or_take(at_, true);
            if (future_.fits(shape)) break;
        }
        if (!future_.fits(shape)) at_ = Time::max();
    } else if (more_free_ || moved_for_ != &shape) {
        // Earlier: take back the last that ended, while the job still fits.
        for (auto next = ends_.upper_bound({at_, no_slot}); next != ends_.begin();) {
            at_ = std::prev(next)->first;
            give_or_take(at_, false);
            if (!future_.fits(shape)) {
                give_or_take(at_, true);
                break;
            }
            next = ends_.lower_bound({at_, 0});
            at_ = next == ends_.begin() ? Time::min() : std::prev(next)->first;
        }
    }
    moved_for_ = &shape;
    more_free_ = false;
    return at_ == Time::max() ? never : at_;
}

}  // namespace weir::sched
