// What the book knows of datasets, and of jobs that wait for them.
#include <algorithm>

#include "weir/base/units.hpp"
#include "weir/hub/book.hpp"

namespace weir::hub {

std::optional<sched::SiteId> Book::site_named(const std::string& name) const {
    const auto& sites = engine_->fleet().sites;
    for (std::uint32_t i = 0; i < sites.size(); ++i)
        if (sites[i].name == name) return sched::SiteId{i};
    return std::nullopt;
}

const std::string& Book::name_of_site(sched::SiteId site) const {
    return engine_->fleet().sites.at(site.value).name;
}

Result<void> Book::on(const journal::DatasetChanged& record, Time at) {
    using Fate = journal::DatasetChanged::Fate;
    const std::string what = "the journal's dataset " + record.dataset;
    const auto site = site_named(record.site);
    if (!site) return fail(Code::io, what + " is at a site that the fleet does not have");
    const Datasets::At key{record.dataset, record.site};
    // What is carried over after it has older times: the engine is told none.
    const Time told = record.carried ? told_ : at;
    switch (record.fate) {
        case Fate::staged:
            if (datasets_.copying.erase(key) == 0 && !record.carried) {
                return fail(Code::io, what + " came to " + record.site + " without being sent");
            }
            tell(sched::DatasetStaged{record.dataset, *site}, told);
            break;
        case Fate::made:
            if (record.size.count < 0) return fail(Code::io, what + " has less than no size");
            datasets_.outputs.erase(record.dataset);
            datasets_.copying.erase(key);
            datasets_.made[record.dataset] = {record.by, record.keep_until};
            tell(sched::DatasetMade{record.dataset, record.size, *site}, told);
            break;
        case Fate::lost:
            datasets_.copying.erase(key);
            tell(sched::DatasetLost{record.dataset, *site}, told);
            const auto known = engine_->staging().find(record.dataset);
            if (known && !engine_->staging().is_anywhere(*known)) {
                datasets_.made.erase(record.dataset);
            }
            look_at_all_readers_ = true;
            break;
    }
    return {};
}

Result<void> Book::check_datasets(const journal::Step& step) const {
    const auto knows = [this](const std::string& site) { return site_named(site).has_value(); };
    const bool sound =
        std::all_of(step.staged.begin(),
                    step.staged.end(),
                    [&](const auto& copy) { return knows(copy.from) && knows(copy.to); }) &&
        std::all_of(step.forgotten.begin(), step.forgotten.end(), [&](const auto& gone) {
            return knows(gone.site);
        });
    if (sound) return {};
    return fail(Code::io, "the journal copies a dataset to or from a site that is not known");
}

void Book::take_datasets(const journal::Step& step) {
    look_at_all_readers_ = look_at_all_readers_ || !step.forgotten.empty();
    for (const journal::Staged& copy : step.staged) {
        datasets_.copying[{copy.dataset, copy.to}] = {copy.from, copy.begins, copy.ends};
    }
}

// The engine does not announce that a job which reads datasets may wait for room, or may no more;
// it is seen in its phase.
void Book::look_at_readers(Time at) {
    std::vector<JobId> readers(held_readers_.begin(), held_readers_.end());
    if (std::exchange(look_at_all_readers_, false)) {
        for (const auto& [id, job] : jobs_)
            if (job.state == JobState::pending && !job.family->request.data.empty()) {
                readers.push_back(id);
            }
    }
    for (const JobId id : readers) {
        Job& job = jobs_.at(id);
        const sched::Phase phase = engine_->phase(id);
        if (job.state == JobState::held && phase == sched::Phase::pending) {
            set_state(job, JobState::pending, "", at);
        } else if (job.state == JobState::pending && phase == sched::Phase::held) {
            set_state(job, JobState::held, "", at);
        }
    }
}

JobId Book::maker_of(const std::string& dataset) const {
    if (const auto made = datasets_.outputs.find(dataset); made != datasets_.outputs.end()) {
        return made->second.job;
    }
    const auto maker = makers_.find(dataset);
    if (maker == makers_.end()) return JobId::none();
    const Job* const job = find(maker->second);
    if (job != nullptr && !is_final(job->state)) return job->id;
    return JobId::none();
}

std::string Book::what_data_it_waits_for(const Job& job) const {
    const sched::Staging& staging = engine_->staging();
    std::vector<std::string> here;  // sites where it may run
    const auto add_sites = [&](const fleet::Demand& demand) {
        for (const PoolId pool : demand.pools)
            here.push_back(engine_->fleet().pool(pool).site);
    };
    add_sites(job.family->request.demand);
    for (const sched::Size& size : job.family->request.sizes)
        add_sites(size.demand);
    std::string text;
    for (const std::string& dataset : job.family->request.data) {
        const auto known = staging.find(dataset);
        std::string one;
        if (!known || !staging.is_anywhere(*known)) {
            const JobId maker = maker_of(dataset);
            one = dataset + (maker.valid() ? ", which " + described(maker) + " is to make"
                                           : ", which lies nowhere");
        }
        for (const auto& [at, copy] : datasets_.copying) {
            if (at.first != dataset || !one.empty()) continue;
            if (std::find(here.begin(), here.end(), at.second) == here.end()) continue;
            one = dataset + " (" + format_bytes(staging.size(*known)) + "), which is copied from " +
                  copy.from + " to " + at.second + " and expected there at " +
                  format_time(copy.ends);
        }
        if (!one.empty()) text += (text.empty() ? "" : "; ") + one;
    }
    return text;
}

}  // namespace weir::hub
