#include "weir/hub/replay.hpp"

#include <algorithm>

#include "weir/base/digest.hpp"
#include "weir/base/units.hpp"

namespace weir::hub {
namespace {

std::string first_of(const std::vector<journal::Started>& starts) {
    return starts.empty() ? "nothing" : exec::text_of(starts.front().attempt);
}

std::string first_of(const std::vector<journal::Reserved>& promises, std::size_t from) {
    if (from >= promises.size()) return "nothing more";
    const journal::Reserved& its = promises[from];
    if (its.at == never) return "job " + std::to_string(its.job.value) + " nothing any more";
    return "job " + std::to_string(its.job.value) + " a start at " + format_time(its.at);
}

std::optional<std::string> difference_of(const journal::Step& written,
                                         const journal::Step& decided) {
    for (std::size_t i = 0; i < std::max(written.starts.size(), decided.starts.size()); ++i) {
        if (i >= written.starts.size() || i >= decided.starts.size() ||
            written.starts[i].attempt != decided.starts[i].attempt) {
            return "the journal starts " + format_count(written.starts.size(), "attempt") +
                   " here (first: " + first_of(written.starts) + "), the replay " +
                   std::to_string(decided.starts.size()) + " (first: " + first_of(decided.starts) +
                   ")";
        }
        if (written.starts[i] != decided.starts[i]) {
            return "attempt " + exec::text_of(written.starts[i].attempt) +
                   " has another place, or another cause, in the journal than in the replay";
        }
    }
    if (written.drops != decided.drops) {
        return "the journal drops " + format_count(written.drops.size(), "job") +
               " here, the replay " + std::to_string(decided.drops.size());
    }
    if (written.preempted != decided.preempted) {
        return "the journal stops " + format_count(written.preempted.size(), "job") +
               " for others here, the replay " + std::to_string(decided.preempted.size());
    }
    if (written.replaced != decided.replaced || written.over_power != decided.over_power) {
        return "the journal and the replay answer otherwise here to a lost node or a budget of "
               "watts";
    }
    if (written.staged != decided.staged || written.forgotten != decided.forgotten) {
        return "the journal copies " + format_count(written.staged.size(), "dataset") +
               " here and forgets " + std::to_string(written.forgotten.size()) +
               ", the replay copies " + std::to_string(decided.staged.size()) + " and forgets " +
               std::to_string(decided.forgotten.size()) + ", or others, or by other ways";
    }
    if (written.reserved != decided.reserved) {
        std::size_t i = 0;
        while (i < std::min(written.reserved.size(), decided.reserved.size()) &&
               written.reserved[i] == decided.reserved[i])
            ++i;
        return "the journal promises " + first_of(written.reserved, i) + " here, the replay " +
               first_of(decided.reserved, i);
    }
    if (written.digest != decided.digest) {
        return "the digest of the decisions is " + hex_of(written.digest) + " in the journal and " +
               hex_of(decided.digest) + " in the replay";
    }
    return std::nullopt;
}

// Ends the walk through the store at a difference; never seen outside of this file.
const Error stop_here{Code::conflict, "the replay differs"};

using TakeStep = std::function<Result<void>(const journal::Step&, const store::Entry&)>;

Result<void> walk(ReplayReport& report,
                  Book& book,
                  store::Store& store,
                  const std::function<void(const store::Entry&)>& visit,
                  const TakeStep& take_step) {
    const auto walked = store.replay(1, [&](const store::Entry& entry) -> Result<void> {
        if (visit) visit(entry);
        if (report.entries++ == 0) report.first = entry.at;
        report.last = entry.at;
        WEIR_TRY(const journal::Record record, journal::decode(entry));
        const auto* step = std::get_if<journal::Step>(&record);
        const auto applied =
            step != nullptr ? take_step(*step, entry) : book.apply(record, entry.at);
        if (!applied) {
            return fail(applied.error().at("journal entry " + std::to_string(entry.sequence)));
        }
        if (step != nullptr) {
            ++report.steps;
            report.starts += step->starts.size();
            report.drops += step->drops.size();
        }
        book.take_broken_promises();
        for (const JobId finished : book.take_finished())
            book.release(finished);
        return {};
    });
    report.jobs = book.everybody().next().value - 1;
    report.ended = book.jobs_ended();
    if (book.begun()) report.digest = book.engine().digest();
    return walked;
}

}  // namespace

Result<ReplayReport> follow_into(Book& book, store::Store& store) {
    ReplayReport report;
    WEIR_CHECK(walk(report,
                    book,
                    store,
                    nullptr,
                    [&book](const journal::Step& step, const store::Entry& entry) {
                        return book.apply(step, entry.at);
                    }));
    return report;
}

Result<ReplayReport> replay(store::Store& store,
                            const std::function<void(const store::Entry&)>& visit) {
    Book book;
    ReplayReport report;
    const auto decide = [&](const journal::Step& written,
                            const store::Entry& entry) -> Result<void> {
        WEIR_TRY(const journal::Step decided, book.decide(entry.at, written.anew));
        auto sentence = difference_of(written, decided);
        if (!sentence) return {};
        report.difference = Difference{entry.sequence, entry.at, *std::move(sentence)};
        return fail(stop_here);
    };
    const auto walked = walk(report, book, store, visit, decide);
    if (!walked && !report.difference) return fail(walked.error());
    return report;
}

}  // namespace weir::hub
