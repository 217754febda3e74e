#include <nlohmann/json.hpp>

#include "weir/exec/probe.hpp"

namespace weir::exec {
namespace {

using nlohmann::json;

json rate_to_json(const MeasuredRate& rate) {
    return {{"name", rate.name},
            {"unit", rate.unit},
            {"best", rate.best},
            {"median", rate.median},
            {"runs", rate.runs},
            {"size", rate.size},
            {"implementation", rate.implementation},
            {"exact", rate.exact},
            {"basis", "measured"}};
}

MeasuredRate rate_from_json(const json& from) {
    MeasuredRate rate;
    rate.name = from.at("name").get<std::string>();
    rate.unit = from.at("unit").get<std::string>();
    rate.best = from.at("best").get<double>();
    rate.median = from.at("median").get<double>();
    rate.runs = from.at("runs").get<std::uint32_t>();
    rate.size = from.at("size").get<std::uint64_t>();
    rate.implementation = from.at("implementation").get<std::string>();
    rate.exact = from.at("exact").get<bool>();
    return rate;
}

}  // namespace

std::string probe_to_json(const ProbeRecord& record) {
    json out = {{"format", "weir-probe/1"},
                {"identity", record.identity},
                {"measured_at_ms", record.measured_at.time_since_epoch().count()},
                {"seconds", record.seconds},
                {"load_average", record.load_average},
                {"threads", record.threads},
                {"int8_exactness", record.int8_exactness},
                {"rates", json::array()},
                {"candidates", json::array()}};
    for (const MeasuredRate& rate : record.rates)
        out["rates"].push_back(rate_to_json(rate));
    for (const MeasuredRate& rate : record.candidates) {
        out["candidates"].push_back(rate_to_json(rate));
    }
    return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<ProbeRecord> probe_from_json(const std::string& text) {
    try {
        const json from = json::parse(text);
        if (from.at("format") != "weir-probe/1") {
            return fail(Code::invalid, "probe record: format is not weir-probe/1");
        }
        ProbeRecord record;
        record.identity = from.at("identity").get<std::map<std::string, std::string>>();
        record.measured_at = Time{Duration{from.at("measured_at_ms").get<std::int64_t>()}};
        record.seconds = from.at("seconds").get<double>();
        record.load_average = from.at("load_average").get<double>();
        record.threads = from.at("threads").get<std::uint32_t>();
        record.int8_exactness = from.at("int8_exactness").get<std::string>();
        for (const json& rate : from.at("rates"))
            record.rates.push_back(rate_from_json(rate));
        for (const json& rate : from.at("candidates")) {
            record.candidates.push_back(rate_from_json(rate));
        }
        return record;
    } catch (const json::exception& error) {
        return fail(Code::invalid, std::string("probe record: ") + error.what());
    }
}

}  // namespace weir::exec
