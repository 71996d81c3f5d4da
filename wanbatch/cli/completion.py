"""The command completion: the script that lets a shell complete commands, options, shots, scenes and runs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from wanbatch.cli import COMPLETION, Global
from wanbatch.cli.streams import json_text

# As click's own, but bash cuts words at colons and equals signs: scene:sc010 and old=new are put together for wanbatch,
# and what bash has already is cut off its answers. Bash before 4.4 knows no nosort, before 4.0 no compopt.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value word last="" cut="" other
    local words=() number=0
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if (( number > 0 )) && [[ $word == [:=]* || $last == *[:=] ]] && [[ $last != "" ]]; then
            words[number-1]="$last$word"
        else
            words[number]="$word"
            number=$((number + 1))
        fi
        last="${words[number-1]}"
    done
    [[ $COMP_WORDBREAKS == *:* && $last == *:* ]] && cut="${last%%"${last##*:}"}"
    [[ $COMP_WORDBREAKS == *=* && $last == *=* ]] && other="${last%%"${last##*=}"}"
    (( ${#other} > ${#cut} )) && cut="$other"
    [[ $cut == --*=* ]] && cut="${cut#--*=}"

    response=$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((number - 1)) %(complete_var)s=bash_complete $1)

    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames 2>/dev/null
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default 2>/dev/null
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("${value#"$cut"}")
        fi
    done

    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""


@click.command(
    "completion",
    epilog="\b\nExamples:\n  wanbatch completion bash > ~/.local/share/bash-completion/completions/wanbatch"
    "\n  wanbatch completion zsh > ~/.zsh/completions/_wanbatch        (a folder of your fpath)"
    "\n  wanbatch completion fish > ~/.config/fish/completions/wanbatch.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, /, shell: str) -> int:
    """Print the script that lets SHELL complete commands, options, output folders, shots, scenes and tags.

    Names come from the manifest on the command line, else from the most recently used output folder.
    """
    options: Global = ctx.obj
    kind = get_completion_class(shell)
    assert kind is not None
    complete = kind(ctx.find_root().command, {}, "wanbatch", COMPLETION)
    template = _BASH if shell == "bash" else complete.source_template
    script = template % complete.source_vars()
    click.echo(json_text({"shell": shell, "script": script}) if options.is_json else script)
    return 0
