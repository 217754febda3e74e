// Admission: may this submission become a job, and what does the core hear of it?
//
// It refuses what could never be served: parts of the language that this version does not honour,
// chips and sites that the fleet does not have, training jobs for which no pool has a plan,
// contracts that no chip of it keeps (match/match.hpp) unless the job waits for another fleet,
// dependencies that nobody submitted, gangs that no empty fleet could hold, tenants of no
// organisation and gangs that theirs will never have a right to, datasets that nobody has or makes,
// jobs that may cost more than is left in a budget, deadlines that the promises to others leave no
// room for. The error says what was asked and what there is; nothing has changed then. What it
// accepts it turns into the request of the decision core, and says in notes what it filled in.
//
// A submission of several jobs is admitted in order: a later one may depend on an earlier one by
// name although neither is in the book yet. Dependencies on jobs that have ended are settled here,
// because the core of a new fleet does not know them.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/hub/book.hpp"
#include "weir/hub/hub.hpp"
#include "weir/hub/journal.hpp"

namespace weir::hub {

// Jobs that the jobs of one array may wait for, all counted.
inline constexpr std::size_t dependencies_max = 1'000'000;

struct Admitted {
    journal::Submitted submitted;
    job::JobSpec spec;      // as given, with tenant, name and what is planned filled in
    std::string spec_text;  // the same for the journal, known to be readable
    std::vector<std::string> notes;
    JobId failed_dependency;  // valid when it can never start: it is cancelled at once
};

class Admission {
public:
    // Threads and lifetime: borrows book and catalogue for one submission.
    Admission(const Book& book, const catalog::Catalog& catalog, Duration default_limit, Time now);

    // What brings datasets to sites; without one, jobs that need some are refused.
    void with(exec::Mover* mover) { mover_ = mover; }

    Result<Admitted> admit(const Submission& submission);

private:
    struct Members {
        JobId first;
        std::uint32_t count = 1;
    };

    Result<void> fill(Admitted& admitted);
    Result<void> enter_training(Admitted& admitted, const std::vector<PoolId>& pools) const;
    Result<void> enter_house(Admitted& admitted) const;
    Result<void> enter_budgets(const job::JobSpec& spec,
                               const sched::Request& request,
                               std::size_t members);
    Result<void> enter_data(const job::JobSpec& spec, sched::Request& request);
    Result<void> check_dataset(const std::string& dataset) const;
    Result<void> enter_reservation(const job::JobSpec& spec, sched::Request& request) const;
    Result<void> add_dependencies(Admitted& admitted,
                                  const char* key,
                                  const std::vector<std::string>& references,
                                  sched::Needs needs) const;
    Result<std::vector<JobId>> find(const job::JobSpec& spec,
                                    const char* key,
                                    const std::string& reference,
                                    std::vector<std::string>& notes) const;

    const Book& book_;
    const catalog::Catalog& catalog_;
    Duration default_limit_;
    Time now_;
    JobId next_;
    exec::Mover* mover_ = nullptr;
    std::map<std::string, std::string> earlier_made_;  // datasets of this submission, by which job
    std::map<std::string, Members> earlier_;           // of this submission, by name
    std::vector<tenancy::Commitment> earlier_cost_;    // at most
};

// Who a client's key belongs to.
std::string owner_of(const Submission& submission);

// Pools that keep what the job demands, but have a chip or are at a site that it does not accept.
std::vector<PoolId> pools_not_accepted(const fleet::Fleet& fleet,
                                       const job::JobSpec& spec,
                                       const std::vector<PoolId>& accepted,
                                       const catalog::Catalog& catalog);

// Whether a job can end by then, as far as that can be said now; the request gets it.
Result<void> check_deadline(Time deadline,
                            sched::Request& request,
                            const sched::Engine& engine,
                            Time now);

// Whether a training job might ever start in the one size that the request has: there is room, its
// organisation has a right to it, and its budgets have what it may cost beside `more`.
Result<void> may_run_in_size(const sched::Request& request,
                             std::optional<Money> budget,
                             const sched::Engine& engine,
                             const Accounts& accounts,
                             std::span<const tenancy::Commitment> more,
                             Time now);

// A time that users gave, too far ahead to be meant: job::duration_max from now at most.
Error too_far(const std::string& what, Time at, Time now);

// A job for another fleet.
struct ForFleet {
    sched::Request request;
    std::vector<job::Planned> plan;     // as in its description
    std::vector<job::TrainSize> sizes;  // likewise
    std::string unserved;               // why no pool serves it; "" = some do
};

// Of a waiting job: pools, sizes and dependencies anew, everything else as it was. `unmet` are
// those of its dependencies that have not ended; size: of a training job that has started once, the
// one that it keeps. Where the fleet has nothing for it, it waits for another one.
ForFleet request_for_fleet(const sched::Request& request,
                           const job::JobSpec& spec,
                           std::optional<std::uint32_t> size,
                           std::vector<sched::Dependency> unmet,
                           const sched::Engine& engine,
                           const catalog::Catalog& catalog);

// No pool is open to it from now on.
void wait_for_another_fleet(sched::Request& request);

// Whether this catalogue plans the job otherwise than it was planned, or serves it at last; size as
// above.
bool plans_otherwise(const Family& family,
                     std::optional<std::uint32_t> size,
                     const sched::Engine& engine,
                     const catalog::Catalog& catalog);

}  // namespace weir::hub
