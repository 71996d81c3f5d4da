"""The expansion of a manifest: texts that are said once, scenes and variants become a plain list of shots."""

from wanbatch.manifest.expansion.flat import expanded as expanded
