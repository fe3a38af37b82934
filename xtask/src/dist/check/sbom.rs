//! The bill of materials, by the schema's own makers.

use anyhow::Result;

use super::Subject;
use crate::{
    dist::{sbom, tools},
    process,
};

/// Prints what is wrong and fails, or says nothing.
const VALIDATE: &str = "\
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(repr(error) if error else 0)
";

pub(super) fn is_valid(subject: &Subject<'_>) -> Result<()> {
    let file = subject.release.folder.join(sbom::name(subject.release, &subject.inputs.program));
    process::read(tools::PYTHON.program("python").args(["-c", VALIDATE]).arg(file)).map(drop)
}
