// `weir doctor` and `weir version`.
#include <fmt/format.h>

#include <algorithm>

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

// A table, but for the details: they are sentences to be read whole, so they are broken between
// words where a terminal is too narrow, and on a very narrow one stand below what they are about.
std::string text_of(const std::vector<CheckInfo>& checks, std::size_t width) {
    constexpr std::size_t detail_width_min = 40;
    constexpr std::size_t state_width = 5;
    std::size_t name_width = 5;
    for (const CheckInfo& check : checks)
        name_width = std::max(name_width, check.name.size());
    const std::size_t column = name_width + 2 + state_width + 2;
    const bool below = width > 0 && width < column + detail_width_min;
    const std::size_t from = below ? 4 : column;
    const std::string gap = below ? "\n" + std::string(from, ' ') : "  ";
    std::string text = below ? "" : fmt::format("{:<{}}  state  detail\n", "check", name_width);
    if (!below) text = paint(text.substr(0, text.size() - 1), Tone::quiet) + "\n";
    for (const CheckInfo& check : checks) {
        const std::string after(below ? 0 : state_width - std::min(state_width, check.state.size()),
                                ' ');
        text += fmt::format("{:<{}}  {}{}{}{}\n",
                            check.name,
                            name_width,
                            paint(check.state, tone_of_state(check.state)),
                            after,
                            gap,
                            wrapped(check.detail, from, width));
    }
    return text;
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
    out(text_of(checks, output_width()));
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
