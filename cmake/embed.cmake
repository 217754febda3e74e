# weir_embed(TARGET ROOM FOLDER files...)
#
# Puts files into a static library: the bytes through .incbin, so that they cost no compile time,
# and beside them weir::ROOM::embedded_files(), a table of weir/base/embedded.hpp (path, media type,
# digest, bytes). Run as a script it writes that table; the digest is taken when the library is built, so
# editing a file is enough for the next build to carry it.
if(CMAKE_SCRIPT_MODE_FILE)
    set(assembly "// Made by cmake/embed.cmake.\n    .section .rodata\n")
    set(table "// Made by cmake/embed.cmake.\n#include \"weir/base/embedded.hpp\"\n\n#include <array>\n\n")
    set(rows "")
    set(number 0)
    string(REPLACE "," ";" FILES "${FILES}")
    foreach(file ${FILES})
        file(SHA256 ${FOLDER}/${file} digest)
        string(SUBSTRING ${digest} 0 16 digest)
        get_filename_component(extension ${file} LAST_EXT)
        if(extension STREQUAL ".html")
            set(type "text/html; charset=utf-8")
        elseif(extension STREQUAL ".css")
            set(type "text/css; charset=utf-8")
        elseif(extension STREQUAL ".js")
            set(type "text/javascript; charset=utf-8")
        elseif(extension STREQUAL ".svg")
            set(type "image/svg+xml")
        elseif(extension STREQUAL ".yaml")
            set(type "application/yaml")
        else()
            message(FATAL_ERROR "cmake/embed.cmake: ${file}: no media type is known for ${extension}")
        endif()
        set(name ${TARGET}_${number})
        string(APPEND assembly
            "    .global ${name}\n    .global ${name}_end\n${name}:\n"
            "    .incbin \"${FOLDER}/${file}\"\n${name}_end:\n    .byte 0\n")
        string(APPEND table "extern \"C\" const char ${name}[];\nextern \"C\" const char ${name}_end[];\n")
        string(APPEND rows
            "        {\"${file}\", \"${type}\", \"${digest}\",\n"
            "         {${name}, static_cast<std::size_t>(${name}_end - ${name})}},\n")
        math(EXPR number "${number} + 1")
    endforeach()
    # Without this note the linker would give the whole program an executable stack.
    string(APPEND assembly "    .section .note.GNU-stack,\"\",%progbits\n")
    string(APPEND table
        "\nnamespace weir::${ROOM} {\n\nstd::span<const EmbeddedFile> embedded_files();\n"
        "std::span<const EmbeddedFile> embedded_files() {\n"
        "    static const std::array<EmbeddedFile, ${number}> files{{\n${rows}    }};\n"
        "    return files;\n}\n\n}  // namespace weir::${ROOM}\n")
    file(WRITE ${OUTPUT}.S "${assembly}")
    file(WRITE ${OUTPUT}.cpp "${table}")
    return()
endif()

function(weir_embed target room folder)
    enable_language(ASM)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/${target}_files)
    list(TRANSFORM ARGN PREPEND ${folder}/ OUTPUT_VARIABLE paths)
    list(JOIN ARGN "," files)
    add_custom_command(
        OUTPUT ${output}.S ${output}.cpp
        COMMAND ${CMAKE_COMMAND} "-DFILES=${files}" -DFOLDER=${folder} -DOUTPUT=${output}
                -DTARGET=${target} -DROOM=${room}
                -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
        DEPENDS ${paths} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
        COMMENT "Embedding ${folder}"
        VERBATIM)
    # The assembler reads the files, which no compiler tells the build about.
    set_source_files_properties(${output}.S PROPERTIES OBJECT_DEPENDS "${paths}")
    add_library(${target} STATIC ${output}.S ${output}.cpp)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
endfunction()
