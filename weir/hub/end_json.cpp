#include "weir/hub/end_json.hpp"

#include <array>
#include <stdexcept>
#include <utility>

namespace weir::hub {
namespace {

constexpr std::array<std::pair<exec::EndKind, const char*>, 6> kinds{
    {{exec::EndKind::exited, "exited"},
     {exec::EndKind::time_limit, "time_limit"},
     {exec::EndKind::memory, "memory"},
     {exec::EndKind::stopped, "stopped"},
     {exec::EndKind::not_started, "not_started"},
     {exec::EndKind::lost, "lost"}}};

std::int64_t milliseconds(Time time) {
    return time.time_since_epoch().count();
}

}  // namespace

nlohmann::json json_of_end(const exec::AttemptEnd& end) {
    nlohmann::json json{{"attempt", end.attempt.number},
                        {"started_ms", milliseconds(end.started_at)},
                        {"ended_ms", milliseconds(end.ended_at)}};
    for (const auto& known : kinds) {
        if (known.first == end.kind) json["kind"] = known.second;
    }
    if (end.exit_code != 0) json["exit"] = end.exit_code;
    if (end.signal != 0) json["signal"] = end.signal;
    if (end.rank != 0) json["rank"] = end.rank;
    if (!end.detail.empty()) json["detail"] = end.detail;
    if (end.max_rss.count != 0) json["max_rss_bytes"] = end.max_rss.count;
    if (end.cpu.count() != 0) json["cpu_ms"] = end.cpu.count();
    if (end.output_cut) json["output_cut"] = true;
    return json;
}

exec::AttemptEnd end_of_json(const nlohmann::json& json) {
    exec::AttemptEnd end;
    end.attempt.number = json.at("attempt").get<std::uint32_t>();
    end.started_at = Time{Duration{json.at("started_ms").get<std::int64_t>()}};
    end.ended_at = Time{Duration{json.at("ended_ms").get<std::int64_t>()}};
    const auto& kind = json.at("kind").get_ref<const std::string&>();
    bool known_kind = false;
    for (const auto& known : kinds) {
        if (kind != known.second) continue;
        end.kind = known.first;
        known_kind = true;
    }
    if (!known_kind) throw std::out_of_range("the end \"" + kind + "\" is not known");
    end.exit_code = json.value("exit", 0);
    end.signal = json.value("signal", 0);
    end.rank = json.value("rank", 0U);
    end.detail = json.value("detail", std::string());
    end.max_rss = Bytes{json.value("max_rss_bytes", std::int64_t{0})};
    end.cpu = Duration{json.value("cpu_ms", std::int64_t{0})};
    end.output_cut = json.value("output_cut", false);
    return end;
}

}  // namespace weir::hub
