#include "weir/base/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace weir::log {
namespace {

spdlog::logger& logger() {
    static const std::shared_ptr<spdlog::logger> fallback = [] {
        auto made = spdlog::stderr_logger_mt("weir-stderr");
        made->set_level(spdlog::level::warn);
        return made;
    }();
    const auto current = spdlog::get("weir");
    return current ? *current : *fallback;
}

}  // namespace

void open(const std::string& path, Level least) {
    spdlog::drop("weir");
    const auto made =
        path.empty() ? spdlog::stderr_logger_mt("weir") : spdlog::basic_logger_mt("weir", path);
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::info);
    switch (least) {
        case Level::debug:
            made->set_level(spdlog::level::debug);
            break;
        case Level::info:
            made->set_level(spdlog::level::info);
            break;
        case Level::warn:
            made->set_level(spdlog::level::warn);
            break;
        case Level::error:
            made->set_level(spdlog::level::err);
            break;
    }
}

void debug(std::string_view text) {
    logger().debug("{}", text);
}
void info(std::string_view text) {
    logger().info("{}", text);
}
void warn(std::string_view text) {
    logger().warn("{}", text);
}
void error(std::string_view text) {
    logger().error("{}", text);
}

}  // namespace weir::log
