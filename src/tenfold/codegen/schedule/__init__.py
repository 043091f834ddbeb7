"""From definitions to loop programs: which axis is spread over lanes, what is hoisted, which loops there are."""
