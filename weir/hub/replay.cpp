#include "weir/hub/replay.hpp"

#include "weir/base/digest.hpp"

namespace weir::hub {
namespace {

std::optional<std::string> difference_of(const journal::Step& written,
                                         const journal::Step& decided) {
    const auto text_of_first = [](const journal::Step& step) {
        return step.starts.empty() ? std::string("nothing") : exec::text_of(step.starts.front());
    };
    if (written.starts != decided.starts) {
        return "the journal starts " + std::to_string(written.starts.size()) +
               " attempts here (first: " + text_of_first(written) + "), the replay " +
               std::to_string(decided.starts.size()) + " (first: " + text_of_first(decided) + ")";
    }
    if (written.drops != decided.drops) {
        return "the journal drops " + std::to_string(written.drops.size()) +
               " jobs here, the replay " + std::to_string(decided.drops.size());
    }
    if (written.digest != decided.digest) {
        return "the digest of the decisions is " + hex_of(written.digest) + " in the journal and " +
               hex_of(decided.digest) + " in the replay";
    }
    return std::nullopt;
}

// Ends the walk through the store at a difference; never seen outside of this file.
const Error stop_here{Code::conflict, "the replay differs"};

}  // namespace

Result<ReplayReport> replay_into(Book& book,
                                 store::Store& store,
                                 const std::function<void(const store::Entry&)>& visit) {
    ReplayReport report;
    const auto walked = store.replay(1, [&](const store::Entry& entry) -> Result<void> {
        if (visit) visit(entry);
        if (report.entries++ == 0) report.first = entry.at;
        report.last = entry.at;
        WEIR_TRY(const journal::Record record, journal::decode(entry));
        if (const auto* written = std::get_if<journal::Step>(&record)) {
            if (!book.begun()) return fail(Code::io, "the journal does not begin with a fleet");
            const journal::Step decided = book.decide(entry.at);
            if (auto sentence = difference_of(*written, decided)) {
                report.difference = Difference{entry.sequence, entry.at, *std::move(sentence)};
                return fail(stop_here);
            }
            ++report.steps;
            report.starts += decided.starts.size();
            report.drops += decided.drops.size();
        } else if (const auto applied = book.apply(record, entry.at); !applied) {
            return fail(applied.error().at("journal entry " + std::to_string(entry.sequence)));
        }
        for (const JobId finished : book.take_finished())
            book.release(finished);
        return {};
    });
    if (!walked && !report.difference) return fail(walked.error());
    report.jobs = book.everybody().next().value - 1;
    report.ended = book.jobs_ended();
    if (book.begun()) report.digest = book.engine().digest();
    return report;
}

Result<ReplayReport> replay(store::Store& store,
                            const std::function<void(const store::Entry&)>& visit) {
    Book book;
    return replay_into(book, store, visit);
}

}  // namespace weir::hub
