// `weir doctor` and `weir version`.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "weir/base/text_table.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/machine.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

std::string_view name_of(api::CheckState state) {
    switch (state) {
        case api::CheckState::ok:
            return "ok";
        case api::CheckState::warn:
            return "warn";
        case api::CheckState::fail:
            return "fail";
    }
    return "fail";
}

}  // namespace

int doctor(const Common& common) {
    HubLink hub(hub_url(common.hub));
    std::vector<CheckInfo> checks;
    auto answer = hub.doctor();
    if (answer) {
        checks = std::move(answer->value);
        const auto status = hub.status();
        if (!status) return report(status.error());
        const std::string& change = status->value.pending_change;
        if (!change.empty()) checks.push_back({"fleet", "warn", change});
    } else {
        // Without a hub the machine itself can still be looked at, from here.
        for (const api::Check& check : checks_of_this_machine()) {
            checks.push_back({check.name, std::string(name_of(check.state)), check.detail});
        }
        checks.push_back({"hub", "warn", answer.error().message});
    }
    const bool failed = std::any_of(
        checks.begin(), checks.end(), [](const CheckInfo& check) { return check.state == "fail"; });
    if (common.json) {
        out_json(json_checks(checks));
        return failed ? status_failed : status_ok;
    }
    TextTable table({{"check"}, {"state"}, {"detail"}});
    for (const CheckInfo& check : checks)
        table.row({check.name, check.state, check.detail});
    // The details are sentences to be read whole, so they are never shortened.
    out(paint_column(table.text(0), "state", tone_of_state));
    return failed ? status_failed : status_ok;
}

int version_command(const Common& common) {
    if (common.json) {
        out_json(json_object({{"name", "weir"}, {"version", version}}));
    } else {
        out(fmt::format("weir {}\n", version));
    }
    return status_ok;
}

}  // namespace weir::cli
