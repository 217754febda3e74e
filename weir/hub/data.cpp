// What the Keeper does about datasets: it has copied what the core wants copied, registers what
// jobs have made, and takes away what is not kept any longer.
//
// What is to be on its way is level-triggered: the book knows it, and at every housekeeping, as
// after a restart, the mover is asked for it again, which costs nothing where it is busy with it
// already. A move that failed is begun again after a pause that grows. What is to be deleted is
// asked for once, when that is in the journal: a hub that dies just then leaves a folder that
// nobody counts, and never deletes what somebody has put there since.
#include <algorithm>

#include "weir/base/log.hpp"
#include "weir/base/units.hpp"
#include "weir/hub/fleet_datasets.hpp"
#include "weir/hub/keeper.hpp"
#include "weir/hub/keeper_work.hpp"

namespace weir::hub {
namespace {

constexpr Duration first_pause = seconds(5);
constexpr Duration longest_pause = seconds(600);

using Fate = journal::DatasetChanged::Fate;

journal::DatasetChanged changed(Fate fate, const std::string& dataset, const std::string& site) {
    return {.fate = fate,
            .dataset = dataset,
            .site = site,
            .size = {},
            .by = JobId::none(),
            .keep_until = never,
            .carried = false};
}

}  // namespace

std::vector<journal::DatasetChanged> datasets_in(const Book& book, const fleet::Fleet& to) {
    std::vector<journal::DatasetChanged> all;
    if (!book.begun()) return all;
    const sched::Staging& staging = book.engine().staging();
    for (std::uint32_t i = 0; i < staging.count(); ++i) {
        const sched::DatasetId id{i};
        const std::string& name = staging.name(id);
        bool is_new = true;  // nothing of it is there for good yet
        for (const fleet::Site& site : to.sites)
            is_new = is_new && site.storage.datasets.count(name) == 0;
        std::vector<sched::Staging::Place> places = staging.places(id);
        std::stable_sort(places.begin(), places.end(), [](const auto& a, const auto& b) {
            return a.for_good && !b.for_good;
        });
        for (const sched::Staging::Place& place : places) {
            const std::string& site = book.name_of_site(place.site);
            const auto its = std::find_if(to.sites.begin(), to.sites.end(), [&](const auto& each) {
                return each.name == site;
            });
            if (!place.whole || its == to.sites.end()) continue;
            if (its->storage.datasets.count(name) > 0) continue;
            journal::DatasetChanged record =
                changed(is_new ? Fate::made : Fate::staged, name, site);
            record.carried = true;
            if (is_new) {
                record.size = staging.size(id);
                const auto made = book.datasets().made.find(name);
                if (made != book.datasets().made.end()) {
                    record.by = made->second.by;
                    record.keep_until = made->second.keep_until;
                }
            }
            is_new = false;
            all.push_back(std::move(record));
        }
    }
    return all;
}

void Keeper::on(Work& work, MovedMessage& message) {
    const exec::MoveEnd& end = message.end;
    const Datasets& known = book_->datasets();
    const Datasets::At key{end.dataset, end.to};
    const auto output = known.outputs.find(end.dataset);
    const bool is_output = output != known.outputs.end() && output->second.site == end.to;
    if (!is_output && known.copying.count(key) == 0) {
        // Nobody waits for it any more, and what nobody knows of nobody would ever forget.
        const auto id = book_->engine().staging().find(end.dataset);
        const auto site = book_->site_named(end.to);
        const bool is_known = id && site && book_->engine().staging().is_at(*id, *site);
        if (!is_known && end.problem.empty()) work.removals.push_back(key);
        return;
    }
    if (!end.problem.empty()) {
        FailedMove& failed = failed_moves_[key];
        failed.problem = end.problem;
        const Duration pause =
            std::min(longest_pause, Duration{first_pause.count() << std::min(failed.tries, 10U)});
        ++failed.tries;
        failed.again_at = now_ + pause;
        log::error("dataset " + end.dataset + " could not be brought to " + end.to +
                   ", which is tried again in " + format_duration(pause) + ": " + end.problem);
        return;
    }
    failed_moves_.erase(key);
    journal::DatasetChanged record =
        changed(is_output ? Fate::made : Fate::staged, end.dataset, end.to);
    if (is_output) {
        record.size = end.size;
        record.by = output->second.job;
        if (output->second.keep < never - now_) record.keep_until = now_ + output->second.keep;
    }
    this->record(work, std::move(record));
}

void Keeper::begin_moves(Work& work) {
    const auto due = [this](const Datasets::At& key) {
        const auto failed = failed_moves_.find(key);
        return failed == failed_moves_.end() || failed->second.again_at <= now_;
    };
    const Datasets& known = book_->datasets();
    for (const auto& [at, copy] : known.copying) {
        if (due(at)) work.moves.push_back({at.first, at.second, copy.from, ""});
    }
    for (const auto& [dataset, output] : known.outputs) {
        if (due({dataset, output.site})) {
            work.moves.push_back({dataset, output.site, "", output.path});
        }
    }
}

// Of what this turn has decided.
void Keeper::begin_moves(Work& work, const journal::Step& step) {
    for (const journal::Forgotten& gone : step.forgotten)
        work.removals.push_back({gone.dataset, gone.site});
    for (const journal::Staged& copy : step.staged)
        work.moves.push_back({copy.dataset, copy.to, copy.from, ""});
}

void Keeper::move_datasets(const Work& work) {
    if (!options_.mover) return;
    for (const Datasets::At& gone : work.removals)
        options_.mover->remove(gone.first, gone.second);
    for (const exec::Move& move : work.moves)
        options_.mover->begin(move);
}

// As a job whose dependency has failed is cancelled, so is one that reads what a job was to make
// that came to nothing. True if there was one.
bool Keeper::cancel_who_reads_what_is_not_made(Work& work) {
    bool any = false;
    // Who is cancelled may have been to make something, too: the list grows while we walk it.
    for (; work.finished_seen < book_->finished().size(); ++work.finished_seen) {
        const Job& maker = *book_->find(book_->finished()[work.finished_seen]);
        if (maker.state == JobState::succeeded) continue;
        const JobId by = maker.id;
        const std::vector<job::DataOut> outputs = maker.family->spec.data_out;
        for (const job::DataOut& out : outputs) {
            const auto id = book_->engine().staging().find(out.dataset);
            if (book_->maker_of(out.dataset).valid()) continue;
            if (id && book_->engine().staging().is_anywhere(*id)) continue;
            const std::set<JobId> readers = book_->held_readers();
            for (const JobId reader : readers) {
                const Job* const job = book_->find(reader);
                if (job == nullptr || job->state != JobState::held) continue;
                const auto& reads = job->family->request.data;
                if (std::find(reads.begin(), reads.end(), out.dataset) == reads.end()) continue;
                record(work,
                       journal::Cancelled{reader,
                                          book_->dependency_failed(by) +
                                              ", and was to make dataset " + out.dataset});
                any = true;
            }
        }
    }
    return any;
}

// What is copied from there will not come either.
void Keeper::lose(Work& work, const std::string& dataset, const std::string& site) {
    std::vector<std::string> lost = {site};
    for (const auto& [at, copy] : book_->datasets().copying)
        if (at.first == dataset && copy.from == site && at.second != site) {
            lost.push_back(at.second);
        }
    for (const std::string& from : lost)
        record(work, changed(Fate::lost, dataset, from));
}

// What the fleet file says lies somewhere is there only if its files are: an operator may have put
// them there, or taken them away, before this hub was started.
void Keeper::look_at_files(Work& work) {
    if (!options_.mover || !book_->begun()) return;
    const fleet::Fleet fleet = book_->engine().fleet();
    for (const fleet::Site& site : fleet.sites) {
        for (const auto& [dataset, size] : site.storage.datasets) {
            const sched::Staging& staging = book_->engine().staging();
            const bool is_known =
                staging.is_at(*staging.find(dataset), *book_->site_named(site.name));
            const bool is_there = options_.mover->has(dataset, site.name);
            if (is_known && !is_there) {
                log::warn("dataset " + dataset + " is not at site " + site.name +
                          ", where the fleet file has it: there is nothing at " +
                          options_.mover->folder_of(site.name) + "/" + dataset);
                lose(work, dataset, site.name);
            } else if (!is_known && is_there) {
                journal::DatasetChanged found = changed(Fate::made, dataset, site.name);
                found.size = size;
                record(work, std::move(found));
            }
        }
    }
}

// Whoever waits for it or runs beside it has it until it is done.
void Keeper::forget_datasets_not_kept(Work& work) {
    const sched::Staging& staging = book_->engine().staging();
    std::vector<journal::DatasetChanged> lost;
    for (const auto& [dataset, made] : book_->datasets().made) {
        const auto id = staging.find(dataset);
        if (made.keep_until > now_ || !id || staging.is_held(*id)) continue;
        for (const sched::Staging::Place& place : staging.places(*id))
            lost.push_back(changed(Fate::lost, dataset, book_->name_of_site(place.site)));
    }
    for (journal::DatasetChanged& record : lost) {
        log::info("dataset " + record.dataset + " was kept at " + record.site +
                  " as long as it was to be, and is deleted");
        work.removals.push_back({record.dataset, record.site});
        this->record(work, std::move(record));
    }
}

// Why what a job that waits reads is not where it is to be; "" = nothing is known to be wrong.
std::string Keeper::move_trouble(const std::vector<std::string>& datasets) const {
    std::string text;
    for (const auto& [at, failed] : failed_moves_) {
        if (std::find(datasets.begin(), datasets.end(), at.first) == datasets.end()) continue;
        text += (text.empty() ? "" : "; ") + std::string("bringing ") + at.first + " to " +
                at.second + " failed " + format_count(failed.tries, "time") +
                ", the last time: " + failed.problem + "; it is tried again at " +
                format_time(failed.again_at);
    }
    return text;
}

std::vector<DatasetView> Keeper::datasets() const {
    const sched::Staging& staging = book_->engine().staging();
    const Datasets& known = book_->datasets();
    std::map<std::string, DatasetView> views;
    const auto add = [this](DatasetView& view, const std::string& site, bool is_there) {
        DatasetPlaceView& place = view.places.emplace_back();
        place.site = site;
        place.is_there = is_there;
        if (const auto failed = failed_moves_.find({view.name, site});
            failed != failed_moves_.end()) {
            place.trouble = move_trouble({view.name});
        }
        return &place;
    };
    for (std::uint32_t i = 0; i < staging.count(); ++i) {
        const sched::DatasetId id{i};
        if (!staging.is_anywhere(id)) continue;
        DatasetView& view = views[staging.name(id)];
        view.name = staging.name(id);
        view.size = staging.size(id);
        for (const sched::Staging::Place& its : staging.places(id)) {
            const std::string& site = book_->name_of_site(its.site);
            DatasetPlaceView* const place = add(view, site, its.whole);
            const auto copy = known.copying.find({view.name, site});
            if (its.whole || copy == known.copying.end()) continue;
            place->from = copy->second.from;
            place->expected_at = std::max(copy->second.ends, now_);
        }
        const auto made = known.made.find(view.name);
        if (made == known.made.end()) continue;
        if (made->second.by.valid()) view.made_by = book_->everybody().id_of(made->second.by);
        if (made->second.keep_until < never) view.keep_until = made->second.keep_until;
    }
    for (const auto& [dataset, output] : known.outputs) {
        DatasetView& view = views[dataset];
        view.name = dataset;
        view.made_by = book_->everybody().id_of(output.job);
        add(view, output.site, false);
    }
    std::vector<DatasetView> all;
    for (auto& [name, view] : views)
        all.push_back(std::move(view));
    return all;
}

}  // namespace weir::hub
