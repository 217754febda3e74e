// OutputFile: where traces, schedules and reports are written.
//
// A path that ends in ".gz" is compressed, with no name and no time inside, so that equal content
// gives equal bytes; "-" and "" are standard output. A file appears under its name only when
// close() succeeded: until then it grows beside it as NAME.part, so that half a file is never
// mistaken for a whole one. An OutputFile that is not closed leaves nothing behind.
//
// Threads: one at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"

namespace weir::sim {

class OutputFile {
public:
    static Result<OutputFile> create(const std::string& path);

    OutputFile(OutputFile&&) noexcept;
    OutputFile& operator=(OutputFile&&) noexcept;
    ~OutputFile();

    Result<void> write(std::string_view bytes);
    // Has to be called: only its success says that everything is in the file.
    Result<void> close();

private:
    struct Sink;
    explicit OutputFile(std::unique_ptr<Sink> sink);
    std::unique_ptr<Sink> sink_;
};

// create, write, close.
Result<void> write_file(const std::string& path, std::string_view bytes);

}  // namespace weir::sim
