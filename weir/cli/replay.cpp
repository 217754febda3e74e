// `weir replay`: the proof that the hub's decisions follow from its journal.
#include "weir/hub/replay.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "weir/base/digest.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/progress.hpp"
#include "weir/store/sqlite_store.hpp"

namespace weir::cli {

int replay(const ReplayOptions& options) {
    namespace fs = std::filesystem;
    std::error_code problem;
    // Both a data folder and its database are understood.
    const fs::path given = options.data;
    const fs::path journal = fs::is_directory(given, problem) ? given / "weir.db" : given;
    if (!fs::exists(journal, problem)) {
        return report({Code::not_found,
                       fmt::format("{}: there is no journal here; a hub keeps it as weir.db in its "
                                   "data folder (weir up --data DIR)",
                                   journal.string())});
    }
    const auto store = store::SqliteStore::open_to_read(journal.string());
    if (!store) return report(store.error());

    Progress progress("deciding again", 0, "entries", options.common.json);
    const auto answer = hub::replay(
        **store, [&progress](const store::Entry& entry) { progress.at(entry.sequence); });
    progress.finish();
    if (!answer) return report(answer.error());
    const hub::ReplayReport& all = *answer;
    if (options.common.json) {
        const std::string difference = all.difference
                                           ? fmt::format(R"({{"sequence":{},"sentence":{}}})",
                                                         all.difference->sequence,
                                                         json_string(all.difference->sentence))
                                           : "null";
        out_json(fmt::format(
            R"({{"equal":{},"entries":{},"steps":{},"jobs":{},"starts":{},"drops":{},"ended":{},"digest":"{}","difference":{}}})",
            !all.difference,
            all.entries,
            all.steps,
            all.jobs,
            all.starts,
            all.drops,
            all.ended,
            hex_of(all.digest),
            difference));
        return all.difference ? status_failed : status_ok;
    }
    if (all.entries == 0) {
        out("no entries: the hub of this journal has heard nothing yet\n");
        return status_ok;
    }
    out(fmt::format("{} from {} to {}\n{}, {}, {}, {}\ndigest {}\n",
                    all.entries == 1 ? "1 entry" : format_count(all.entries) + " entries",
                    format_time(all.first),
                    format_time(all.last),
                    format_count(all.jobs, "job"),
                    format_count(all.starts, "start"),
                    format_count(all.ended, "end"),
                    format_count(all.steps, "step"),
                    hex_of(all.digest)));
    if (all.difference) {
        return report(
            {Code::internal,
             fmt::format("{}: decided otherwise than the journal says, from entry {} ({}) "
                         "on: {}",
                         journal.string(),
                         all.difference->sequence,
                         format_time(all.difference->at),
                         all.difference->sentence)});
    }
    out(paint("every decision came out the same", Tone::good) + "\n");
    return status_ok;
}

}  // namespace weir::cli
