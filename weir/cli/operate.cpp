// `weir reserve`, `weir drain`, `weir restore`, `weir power` and `weir loan`: what operators do,
// and what the parties of a loan do.
#include <fmt/format.h>

#include "weir/base/text_table.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/node_list.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

int tell(const Result<Answer<std::string>>& answer, bool json) {
    if (!answer) return report(answer.error());
    if (json) {
        out_json(answer->json);
    } else {
        out(answer->value + "\n");
    }
    return status_ok;
}

// So far ahead the hub plans for somebody.
constexpr Duration ahead_max = seconds(std::int64_t{10} * 365 * 86'400);

Result<std::int64_t> not_too_far(const std::string& text, std::int64_t at_ms) {
    const std::int64_t last_ms = now_ms() + ahead_max.count();
    if (at_ms <= last_ms) return at_ms;
    return fail(Code::invalid,
                fmt::format("'{}' is more than 10y from now; valid are times up to {}",
                            text,
                            format_time(at_seconds(last_ms / 1000))));
}

// "2026-12-01T08:00:00Z", or "+2h" from now.
Result<std::int64_t> moment_of(const std::string& text) {
    if (text.front() == '+') {
        WEIR_TRY(const Duration later, parse_duration(text.substr(1)));
        return not_too_far(text, now_ms() + later.count());
    }
    const auto at = parse_time(text);
    if (!at && parse_duration(text)) {
        return fail(Code::invalid,
                    fmt::format("'{0}' is a duration; write +{0} for so long from now", text));
    }
    if (!at) return fail(at.error());
    return not_too_far(text, at->time_since_epoch().count());
}

int list_reservations(HubLink& hub, bool json) {
    const auto answer = hub.reservations();
    if (!answer) return report(answer.error());
    if (json) {
        out_json(answer->json);
    } else if (answer->value.empty()) {
        note("no reservations");
    } else {
        out(reservation_table(answer->value));
    }
    return status_ok;
}

Result<ReserveRequest> request_of(const ReserveOptions& options) {
    ReserveRequest request;
    request.name = options.name;
    request.pool = options.pool;
    request.nodes = options.nodes;
    WEIR_TRY(request.node_names, names_of_nodes(options.node_names));
    request.tenant = options.tenant;
    request.maintenance = options.maintenance;
    if (!options.from.empty()) {
        auto from = moment_of(options.from);
        if (!from) return fail(from.error().at("--from"));
        request.from_at_ms = *from;
    }
    if (options.duration.empty()) {
        return fail(Code::invalid, "reserve: say for how long, such as --for 2h");
    }
    const auto duration = parse_duration(options.duration);
    if (!duration) return fail(duration.error().at("--for"));
    request.duration_ms = duration->count();
    return request;
}

Result<LoanRequest> request_of(const LoanOptions& options) {
    LoanRequest request{.name = options.name,
                        .lender = options.lender,
                        .borrower = options.borrower,
                        .chips = {},
                        .starts_at_ms = now_ms(),
                        .ends_at_ms = 0,
                        .notice_ms = 0,
                        .price = options.price,
                        .early_recall = options.early_recall,
                        .penalty = options.penalty};
    for (const auto& [option, value] : {std::pair{"--from", &options.lender},
                                        std::pair{"--to", &options.borrower},
                                        std::pair{"--ends", &options.ends},
                                        std::pair{"--price", &options.price}}) {
        if (value->empty()) {
            return fail(
                Code::invalid,
                fmt::format("loan offer: {} is missing; `weir help loan` shows an offer", option));
        }
    }
    for (const std::string& each : options.chips) {
        const auto equals = each.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(Code::invalid,
                        fmt::format("--chips: '{}' does not say how much; write h20=16", each));
        }
        const std::string chip = each.substr(0, equals);
        if (!request.chips.try_emplace(chip, each.substr(equals + 1)).second) {
            return fail(Code::invalid,
                        fmt::format("--chips: {} is named twice; write one amount", chip));
        }
    }
    if (request.chips.empty()) {
        return fail(Code::invalid, "--chips: say how much of what, such as --chips h20=16");
    }
    if (!options.starts.empty()) {
        const auto starts = moment_of(options.starts);
        if (!starts) return fail(starts.error().at("--starts"));
        request.starts_at_ms = *starts;
    }
    const auto ends = moment_of(options.ends);
    if (!ends) return fail(ends.error().at("--ends"));
    request.ends_at_ms = *ends;
    const auto notice = parse_duration(options.notice);
    if (!notice) return fail(notice.error().at("--notice"));
    request.notice_ms = notice->count();
    return request;
}

std::string loan_table(const std::vector<LoanInfo>& loans) {
    TextTable table({{"loan", false, true},
                     {"from", false, true},
                     {"to", false, true},
                     {"what", false, true},
                     {"state"},
                     {"starts"},
                     {"ends"},
                     {"notice", true},
                     {"price"}});
    std::string broken;
    for (const LoanInfo& info : loans) {
        std::string amounts;
        for (const TenantAmountInfo& each : info.amounts) {
            const std::string words =
                each.unit == "chips" ? fmt::format("{:g} {}", each.owns, each.resource)
                                     : format_rate(each.owns, each.unit) + " of " + each.resource;
            amounts += (amounts.empty() ? "" : ", ") + words;
        }
        table.row({info.name,
                   info.lender,
                   info.borrower,
                   std::move(amounts),
                   info.state,
                   time_cell(info.starts_at_ms),
                   time_cell(info.deadline_at_ms.value_or(info.ends_at_ms)),
                   format_duration(Duration{info.notice_ms}),
                   info.price});
        if (!info.reason.empty()) broken += info.name + ": " + info.reason + "\n";
    }
    return table.text(output_width()) + (broken.empty() ? "" : "\n" + broken);
}

}  // namespace

std::string reservation_table(const std::vector<ReservationInfo>& reservations) {
    TextTable table({{"reservation", false, true},
                     {"for", false, true},
                     {"from"},
                     {"until"},
                     {"nodes", true},
                     {"jobs", true},
                     {"which", false, true}});
    for (const ReservationInfo& info : reservations) {
        std::string whose = info.maintenance      ? "maintenance"
                            : info.tenant.empty() ? "everybody"
                                                  : info.tenant;
        table.row({info.name,
                   std::move(whose),
                   time_cell(info.from_at_ms),
                   time_cell(info.until_at_ms),
                   format_count(info.count),
                   fmt::format("{}+{}", info.running.size(), info.waiting),
                   info.nodes});
    }
    return table.text(output_width());
}

int reserve(const ReserveOptions& options) {
    HubLink hub(hub_url(options.common.hub));
    if (options.list) return list_reservations(hub, options.common.json);
    if (options.name.empty()) {
        return report({Code::invalid,
                       "reserve: NAME is missing: what to call it; --list shows those there are"});
    }
    if (options.remove) return tell(hub.unreserve(options.name), options.common.json);
    const auto request = request_of(options);
    if (!request) return report(request.error());
    return tell(hub.reserve(*request), options.common.json);
}

int loan(const LoanOptions& options) {
    HubLink hub(hub_url(options.common.hub));
    if (options.action == "list") {
        const auto answer = hub.loans();
        if (!answer) return report(answer.error());
        if (options.common.json) {
            out_json(answer->json);
        } else if (answer->value.empty()) {
            note("no loans; `weir loan offer` makes one");
        } else {
            out(loan_table(answer->value));
        }
        return status_ok;
    }
    if (options.name.empty()) {
        return report({Code::invalid,
                       "loan: NAME is missing: which loan; `weir loan` shows those there are"});
    }
    if (options.by.empty() == (options.action == "break")) {
        return report({Code::invalid,
                       options.by.empty() ? "loan break: --by is missing: lender or borrower"
                                          : "--by: only for `weir loan break`"});
    }
    if (options.action != "offer")
        return tell(hub.move_loan(options.name, options.action, options.by), options.common.json);
    const auto request = request_of(options);
    if (!request) return report(request.error());
    return tell(hub.offer_loan(*request), options.common.json);
}

namespace {

// One after the other: what is wrong with one keeps none of the others from it.
template <class Change>
int each_node(const NodesOptions& options, Change change) {
    const auto nodes = names_of_nodes(options.nodes);
    if (!nodes) return report(nodes.error());
    HubLink hub(hub_url(options.common.hub));
    int status = status_ok;
    for (const std::string& node : *nodes) {
        const int its = tell(change(hub, node), options.common.json);
        if (its != status_ok) status = its;
    }
    return status;
}

}  // namespace

int drain(const NodesOptions& options) {
    return each_node(options, [&options](HubLink& hub, const std::string& node) {
        return hub.drain(node, options.reason);
    });
}

int restore(const NodesOptions& options) {
    return each_node(options,
                     [](HubLink& hub, const std::string& node) { return hub.restore(node); });
}

int power(const PowerOptions& options) {
    HubLink hub(hub_url(options.common.hub));
    if (options.is_set) {
        std::optional<double> watts;
        if (options.watts != "none") {
            const auto parsed = parse_power_watts(options.watts);
            if (!parsed || *parsed <= 0) {
                return report({Code::invalid,
                               fmt::format("power: WATTS: '{}' is not valid; write a power above "
                                           "0, such as 15kW, or none",
                                           options.watts)});
            }
            watts = *parsed;
        }
        return tell(hub.set_power(options.domain, watts), options.common.json);
    }
    const auto answer = hub.power(options.domain);
    if (!answer) return report(answer.error());
    if (options.common.json) {
        out_json(answer->json);
        return status_ok;
    }
    TextTable table({{"of", false, true}, {"draws", true}, {"may draw", true}, {"share", true}});
    for (const PowerInfo& info : answer->value) {
        const auto watts = [](const std::optional<double>& value) {
            return value ? format_rate(*value, "W") : "-";
        };
        const bool both = info.draw_watts && info.budget_watts;
        table.row({info.domain,
                   watts(info.draw_watts),
                   watts(info.budget_watts),
                   both ? format_percent(*info.draw_watts / *info.budget_watts) : "-"});
    }
    out(table.text(output_width()));
    for (const PowerInfo& info : answer->value) {
        if (!info.note.empty()) note(info.domain + ": " + info.note);
    }
    return status_ok;
}

}  // namespace weir::cli
