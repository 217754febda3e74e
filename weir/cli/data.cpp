// `weir data`: the datasets of the pool, where each lies, and what is on its way.
#include <fmt/format.h>

#include "weir/base/text_table.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

std::string time_cell(std::int64_t ms) {
    return format_time(Time{Duration{ms}});
}

std::string place_cell(const DatasetInfo::Place& place) {
    if (place.state == "there") return place.site;
    std::string text = place.site + " (coming";
    if (!place.from.empty()) text += " from " + place.from;
    if (place.expected_at_ms) text += ", expected " + time_cell(*place.expected_at_ms);
    return text + ")";
}

std::string table_of(const std::vector<DatasetInfo>& datasets) {
    TextTable table({{"dataset", false, true},
                     {"size", true},
                     {"sites", false, true},
                     {"made by"},
                     {"kept until"}});
    for (const DatasetInfo& dataset : datasets) {
        std::string sites;
        for (const DatasetInfo::Place& place : dataset.places)
            sites += (sites.empty() ? "" : ", ") + place_cell(place);
        table.row({dataset.name,
                   dataset.size_bytes > 0 ? format_bytes({dataset.size_bytes}) : "-",
                   sites,
                   dataset.made_by.empty() ? "-" : "job " + dataset.made_by,
                   dataset.keep_until_ms ? time_cell(*dataset.keep_until_ms) : "-"});
    }
    return table.text(output_width());
}

}  // namespace

int data(const Common& common) {
    HubLink hub(hub_url(common.hub));
    const auto answer = hub.datasets();
    if (!answer) return report(answer.error());
    if (common.json) {
        out_json(answer->json);
        return status_ok;
    }
    if (answer->value.empty()) {
        note(
            "there are no datasets; a fleet file names those that are there (storage.datasets), "
            "and jobs make some (data.out)");
        return status_ok;
    }
    out(table_of(answer->value));
    for (const DatasetInfo& dataset : answer->value)
        for (const DatasetInfo::Place& place : dataset.places)
            if (!place.trouble.empty()) note(place.trouble);
    return status_ok;
}

}  // namespace weir::cli
